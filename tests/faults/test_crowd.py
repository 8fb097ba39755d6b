"""The short form of tests.faults.crowd; how fast it is, a busy machine cannot tell."""

from pathlib import Path

from tests.faults.crowd import crowd


def test_clients_that_say_little_keep_nobody_else_out(tmp_path: Path) -> None:
    for outcome in crowd(tmp_path, streams=120, slow=60, connections=200, seconds=1.5):
        assert outcome.requests > 0, outcome
        assert outcome.refused == {}, outcome
        assert outcome.p99 < 10, outcome
