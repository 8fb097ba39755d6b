"""What a replay says of spans that came late: how late, and whether the decision would have been another."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from milvus_otel_processor.replay.late_spans import LateSpanWatch
from milvus_otel_processor.sampling.decision import NOT_SAMPLED, Decision, Verdict
from milvus_otel_processor.spans.groups import Group

from tests.support.replay_command import replayed
from tests.support.spans import span as any_span
from tests.support.spans import trace_of
from tests.unit.replay.recordings import request, sized, span

if TYPE_CHECKING:
    from pathlib import Path

    from milvus_otel_processor.spans.contract import Trace

ERRORS = "{name: errors, type: status_code, status_code: {status_codes: [ERROR]}}"


@pytest.fixture
def replay(tmp_path: Path) -> Any:
    def run(*requests: bytes, policies: str = ERRORS, wait: str = "5s", more: str = "") -> dict[str, Any]:
        rules, traces = tmp_path / "rules.yaml", tmp_path / "traces.binpb"
        rules.write_text(f"decision_wait: {wait}\n{more}\npolicies: [{policies}]\n")
        traces.write_bytes(sized(*requests))
        return replayed(traces, "--config", str(rules))

    return run


LATE_ERROR = (request(span(1, parent=9, own=2)), request(span(1, end=9, error=True)))


def test_an_error_that_comes_after_its_trace_was_not_sampled_counts_as_would_have_been_kept(replay: Any) -> None:
    late = replay(*LATE_ERROR)["late"]
    assert late["would_have_been_kept"] == {
        "traces": 1,
        "spans": 1,
        "policies": {"errors": 1},
        "examples": [f"{1:032x}"],
    }
    assert late["would_not_have_been_kept"]["traces"] == 0
    assert late["seconds_after_first_span"] == {"p50": 9.0, "p99": 9.0, "max": 9.0}


def test_the_wait_that_is_named_is_one_with_which_the_span_comes_in_time(replay: Any) -> None:
    wait = replay(*LATE_ERROR)["late"]["decision_wait_for_99_percent"]
    document = replay(*LATE_ERROR, wait=wait)
    assert document["late"]["spans"] == 0
    assert document["late"]["decision_wait_for_99_percent"] is None
    assert document["kept"]["traces"] == 1


def test_a_trace_that_its_late_root_would_have_dropped_counts_too(replay: Any) -> None:
    drop = "{name: d, type: drop, drop: {drop_sub_policy: [{type: span_name, span_name: {names: [beat], root_only: true}}]}}"
    requests = request(span(1, own=2, parent=1)), request(span(1, end=9, name="beat"))
    document = replay(*requests, policies=drop + ", {name: all, type: always_sample}")
    assert document["late"]["would_not_have_been_kept"]["policies"] == {"d": 1}
    assert document["decided_without_root"] == {"traces": 1, "traces_share": 1.0}


def test_what_a_rate_limit_would_have_said_is_not_guessed(replay: Any) -> None:
    limit = "{name: limit, type: rate_limiting, rate_limiting: {spans_per_second: 0}}"
    late = replay(*LATE_ERROR, policies=limit)["late"]
    assert (late["spans"], late["would_have_been_kept"]["traces"]) == (1, 0)
    room = limit.replace("spans_per_second: 0", "spans_per_second: 100")
    assert replay(*LATE_ERROR, policies=room)["late"]["would_not_have_been_kept"]["traces"] == 0


def test_spans_behind_a_root_that_dropped_at_once_are_not_late_by_the_wait(replay: Any) -> None:
    drop = "{name: d, type: drop, drop: {drop_sub_policy: [{type: span_name, span_name: {names: [beat], root_only: true}}]}}"
    document = replay(request(span(1, name="beat")), request(span(1, end=9, own=2)), policies=drop)
    assert document["late_spans"] == {"sampled": 0, "not_sampled": 1}
    assert document["late"]["spans"] == 0


def test_a_trace_that_was_forgotten_begins_anew(replay: Any) -> None:
    nothing_remembered = "decision_cache: {sampled_cache_size: 0, non_sampled_cache_size: 0}"
    document = replay(*LATE_ERROR, more=nothing_remembered)
    assert document["received"]["traces"] == 2
    assert document["late"]["spans"] == 0


class Judge:
    def without_memory(self, trace: Trace) -> Verdict:
        return Verdict(Decision.SAMPLED, "all") if len(trace) > 1 else NOT_SAMPLED

    def has_memory(self, policy: str) -> bool:
        return bool(policy) and False


def test_what_is_held_is_bounded_and_the_oldest_traces_are_asked_about_first() -> None:
    watch = LateSpanWatch(Judge(), held_bytes=2_000)
    group, store = Group(b"", b""), frozenset[bytes]()
    for number in range(100):
        trace = trace_of(any_span(trace=number + 1))
        watch.before([(trace.id, None, group, trace.span(0))], 0.0)
        watch.decided(trace, NOT_SAMPLED, 1.0)
        watch.before([(trace.id, None, group, trace.span(0))], 2.0)
        watch.after(store, 2.0)  # type: ignore[arg-type] # of a store only `in` is asked
    assert watch.kept.traces > 90
    assert watch._size <= 2_000 + 1_000
    watch.finish()
    assert (watch.kept.traces, watch.spans, watch.traces) == (100, 100, 100)
    assert len(json.dumps(watch.kept.examples)) < 200
