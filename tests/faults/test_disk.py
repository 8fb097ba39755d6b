"""The short form of tests.faults.disk."""

from pathlib import Path

from tests.faults.disk import fill_again_and_again


def test_while_the_disk_is_full_requests_are_refused_and_then_taken_again_by_itself(tmp_path: Path) -> None:
    outcome = fill_again_and_again(tmp_path, mib=8, times=1, seconds=0.5)
    assert outcome.refused.get("RESOURCE_EXHAUSTED", 0) > 0
    assert (outcome.given_up, outcome.missing, outcome.left_on_disk) == (0, 0, 0)
    assert outcome.acknowledged > 0
    assert "the storage can be written to again" in outcome.output
