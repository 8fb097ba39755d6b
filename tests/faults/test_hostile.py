"""The short form of tests.faults.hostile."""

from pathlib import Path

from tests.faults.hostile import hostile


def test_mutated_requests_are_answered_and_every_span_is_in_one_place(tmp_path: Path) -> None:
    outcome = hostile(tmp_path, 10_000, seed=2)
    assert sum(outcome.answers.values()) == 10_000
    assert set(outcome.answers) == {"OK", "INVALID_ARGUMENT"}, outcome
    assert outcome.unbalanced == []
    assert outcome.tracebacks == 0
    # Garbage of refused requests, 5 KB for each, would be 24 MiB more by the end. The heap has its size by the middle.
    assert outcome.resident_mib[-1] - outcome.resident_mib[5] < 8, outcome.resident_mib
