"""The short form of tests.faults.clock."""

from pathlib import Path

from tests.faults.clock import jumps


def test_traces_wait_their_time_and_none_is_lost_when_the_wall_clock_jumps(tmp_path: Path) -> None:
    outcome = jumps(tmp_path, steps=4, wait=4.0)
    assert outcome.acknowledged > 0
    assert outcome.hours_off > 1, outcome
    assert (outcome.missing, outcome.too_soon, outcome.left_on_disk) == (0, 0, 0), outcome
