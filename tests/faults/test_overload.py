"""The short form of tests.faults.overload."""

from pathlib import Path

from tests.faults.overload import overload


def test_in_a_small_container_no_load_gets_it_killed_and_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    outcome = overload(tmp_path, mib=256, seconds=8.0, senders=4, wait="2s", storage=True, text=5000)
    assert outcome.kills == 0
    assert outcome.refusals.get("RESOURCE_EXHAUSTED", 0) > 0
    assert outcome.dropped_by_senders == 0
    assert outcome.exported >= outcome.acknowledged > 0
