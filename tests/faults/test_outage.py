"""The short forms of tests.faults.outage: one that the disk has room for, and one that it has not."""

from pathlib import Path

from tests.faults.outage import outage


def test_what_is_kept_while_the_peer_is_away_comes_when_it_is_back(tmp_path: Path) -> None:
    outcome = outage(tmp_path, minutes=1, rate=500, faster=12, disk_mib=1024)
    assert outcome.acknowledged > 0
    assert (outcome.missing, outcome.given_up) == (0, 0), outcome


def test_from_a_full_disk_on_senders_are_refused_and_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    outcome = outage(tmp_path, minutes=1, rate=1000, faster=12, disk_mib=1)
    assert outcome.refused.get("RESOURCE_EXHAUSTED", 0) > 0, outcome
    assert (outcome.missing, outcome.given_up) == (0, 0), outcome
