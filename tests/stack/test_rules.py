"""Tuning the rules of a running stack: the file is edited as an editor does it, by renaming a new one over it."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from tests.peers.waiting import wait_until
from tests.stack.conftest import Stack
from tests.stack.load import export, failed_request

KEEP_NOTHING = "decision_wait: 1s\npolicies:\n  - {name: nothing, type: latency, latency: {threshold_ms: 3600000}}\n"
KEEP_ERRORS = KEEP_NOTHING + "  - {name: failed, type: status_code, status_code: {status_codes: [ERROR]}}\n"


@pytest.fixture
def rules(stack: Stack) -> Iterator[Path]:
    path = stack.folder / "compose" / "sampling.yaml"
    shipped = path.read_text(encoding="utf-8")
    yield path
    replace(path, shipped)


def replace(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    new.rename(path)


def wait_for_log(stack: Stack, words: str, seconds: float = 15) -> str:
    """The last line of the processor's log with `words`; to read the log once takes Compose a second."""

    def probe() -> str | None:
        lines = stack.compose("logs", "--no-color", "processor").splitlines()
        return next((line for line in reversed(lines) if words in line), None)

    return wait_until(probe, f"{words!r} in the processor's log", seconds, 0.1)


def send_failure() -> str:
    trace_id = secrets.token_bytes(16)
    with grpc.insecure_channel("127.0.0.1:4317") as channel:
        export(channel, failed_request(trace_id))
    return trace_id.hex()


def test_a_change_takes_effect_within_seconds_and_without_a_restart(stack: Stack, rules: Path):
    replace(rules, KEEP_NOTHING)
    wait_for_log(stack, "rules=nothing")
    dropped = send_failure()
    replace(rules, KEEP_ERRORS)
    wait_for_log(stack, "rules=nothing,failed")
    kept = send_failure()
    wait_until(lambda: stack.jaeger.trace(kept), "the trace that the new rules keep", 20, 0.2)
    assert stack.jaeger.trace(dropped) == [] or "failed" in str(stack.jaeger.trace(dropped))


def test_a_broken_file_keeps_the_old_rules_and_says_where_it_is_broken(stack: Stack, rules: Path):
    replace(rules, KEEP_ERRORS)
    wait_for_log(stack, "rules=nothing,failed")
    replace(rules, KEEP_ERRORS.replace("status_code,", "status_cod,"))
    said = wait_for_log(stack, "not reloaded")
    assert "the rules stay as they are" in said
    assert "sampling.yaml:4" in said
    assert 'did you mean "status_code"' in said
    kept = send_failure()
    wait_until(lambda: stack.jaeger.trace(kept), "a trace kept by the old rules", 20, 0.2)
