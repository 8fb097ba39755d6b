"""The short form of tests.faults.large_trace."""

from pathlib import Path

from tests.faults.large_trace import large_trace


def test_a_large_trace_comes_out_whole_and_the_others_beside_it_too(tmp_path: Path) -> None:
    outcome = large_trace(tmp_path, 50_000)
    assert outcome.others > 0
    assert (outcome.missing, outcome.others_missing) == (0, 0), outcome
