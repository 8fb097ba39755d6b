"""The short form of tests.faults.overload."""

from pathlib import Path

from tests.faults.overload import overload


def test_in_a_small_container_no_load_gets_it_killed_and_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    outcome = overload(tmp_path, mib=256, seconds=8.0, peak=3.0, text=5000)
    assert outcome.kills == 0
    assert outcome.refused.get("RESOURCE_EXHAUSTED", 0) > 0
    assert (outcome.given_up, outcome.missing) == (0, 0)
    assert outcome.acknowledged > 0
