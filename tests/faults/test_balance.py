"""The short form of tests.faults.balance: each fault once."""

from pathlib import Path

from tests.faults.balance import balance


def test_during_all_faults_and_across_restarts_every_span_is_in_one_place(tmp_path: Path) -> None:
    outcome = balance(tmp_path, faults=8, seed=1, calm=0.5)
    assert outcome.looks > 0
    assert outcome.unbalanced == []
    assert outcome.acknowledged > 0
    assert (outcome.missing, outcome.dropped_arrived, outcome.given_up) == (0, 0, 0), outcome
    assert (outcome.lost, outcome.waiting, outcome.left_on_disk) == ({}, 0, 0), outcome
