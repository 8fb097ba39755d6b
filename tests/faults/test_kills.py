"""The short form of tests.faults.kills."""

from pathlib import Path

import pytest

from tests.faults.kills import kill_again_and_again


@pytest.mark.parametrize("outages", [False, True], ids=["peer there", "peer away at times"])
def test_nothing_that_was_acknowledged_is_lost_when_the_process_is_killed(tmp_path: Path, outages: bool) -> None:
    outcome = kill_again_and_again(tmp_path, kills=2, seconds=1.0, outages=outages, seed=3)
    assert outcome.acknowledged > 0
    assert outcome.lost == 0
    assert outcome.left_on_disk == 0
