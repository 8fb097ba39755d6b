"""`mode: shadow`: what a policy would have done is counted, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from milvus_otel_processor.telemetry.counters import Amount
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from pydantic import ValidationError

from tests.support.harness import ALWAYS, ERRORS, NEVER, Harness, assert_accounted, drop_roots, sampling
from tests.support.policies import entry
from tests.support.spans import span

if TYPE_CHECKING:
    from collections.abc import Mapping

ERROR = Status.STATUS_CODE_ERROR


def shadow(policy: Mapping[str, object], name: str | None = None) -> dict[str, object]:
    return {**policy, "mode": "shadow", "name": name or policy["name"]}


def decided(*policies: Mapping[str, object]) -> Harness:
    """The outcome over three traces: a heartbeat, one with an error, and another with two spans."""
    harness = Harness(sampling(*policies))
    harness.put(span(1, name="heartbeat"), span(2, status=ERROR), span(3), span(3, 2, 1))
    harness.decide_all()
    assert_accounted(harness.snapshot())
    return harness


def test_a_shadow_that_would_keep_keeps_nothing() -> None:
    harness = decided(shadow(ALWAYS), NEVER)
    assert harness.exporter.spans == []
    assert harness.snapshot().shadow_decisions == {("everything", "sampled", "not_sampled"): Amount(3, 4)}


def test_a_shadow_that_would_drop_drops_nothing() -> None:
    harness = decided(shadow(drop_roots("heartbeat")), ALWAYS)
    assert len(harness.exporter.spans) == 4
    assert harness.snapshot().decisions == {("sampled", "everything"): Amount(3, 4)}
    assert harness.snapshot().shadow_decisions == {("heartbeats", "dropped", "sampled"): Amount(1, 1)}


def test_what_a_shadow_would_have_changed_is_told_from_what_it_would_not() -> None:
    harness = decided(shadow(ALWAYS), ERRORS)
    assert harness.snapshot().shadow_decisions == {
        ("everything", "sampled", "sampled"): Amount(1, 1),
        ("everything", "sampled", "not_sampled"): Amount(2, 3),
    }


def test_after_a_drop_no_policy_is_asked_nor_a_shadow_whether_the_root_alone_settles_it_or_not() -> None:
    at_once = decided(drop_roots("heartbeat"), shadow(ALWAYS, "all"), NEVER).snapshot()
    any_span = entry("drop", {"drop_sub_policy": [entry("span_name", {"names": ["heartbeat"]})]}, "heartbeats")
    when_due = decided(any_span, shadow(ALWAYS, "all"), NEVER).snapshot()
    assert at_once.decisions == when_due.decisions
    assert at_once.shadow_decisions == when_due.shadow_decisions == {("all", "sampled", "not_sampled"): Amount(2, 3)}


def test_a_shadow_names_no_span() -> None:
    harness = decided(shadow(ERRORS), ALWAYS)
    assert not any(b"errors" in kept for kept in harness.exporter.spans)


def test_a_shadow_with_a_memory_keeps_count_of_its_own() -> None:
    limit = entry("rate_limiting", {"spans_per_second": 1, "burst_capacity": 2}, "limit")
    harness = decided(shadow(limit), ALWAYS)
    assert harness.snapshot().shadow_decisions[("limit", "sampled", "sampled")].spans == 2
    assert len(harness.exporter.spans) == 4


def test_without_shadows_nothing_is_counted() -> None:
    assert decided(ALWAYS).snapshot().shadow_decisions == {}


def test_a_malformed_span_is_left_out_of_what_a_shadow_would_have_decided() -> None:
    harness = Harness(sampling(shadow(ERRORS), ALWAYS))
    broken = span(1, 2, status=ERROR).SerializeToString()[:-1] + b"\xff"
    with_field = b"\x12" + len(broken).to_bytes(1, "big") + broken
    request = (
        b"\x0a" + (len(with_field) + 2).to_bytes(1, "big") + b"\x12" + len(with_field).to_bytes(1, "big") + with_field
    )
    assert harness.pipeline.ingest(request) == 0
    harness.put(span(1, status=ERROR))
    harness.decide_all()
    assert harness.snapshot().shadow_decisions == {("errors", "sampled", "sampled"): Amount(1, 2)}
    assert_accounted(harness.snapshot())


def test_rules_that_are_shadows_all_of_them_are_refused() -> None:
    with pytest.raises(ValidationError, match="every policy has mode: shadow"):
        sampling(shadow(ALWAYS), shadow(ERRORS))


@pytest.mark.parametrize(
    "policy",
    [
        entry("and", {"and_sub_policy": [ALWAYS, shadow(ERRORS)]}),
        entry("drop", {"drop_sub_policy": [shadow(ERRORS)]}),
        entry("and", {"and_sub_policy": [entry("and", {"and_sub_policy": [shadow(ERRORS)]})]}),
        entry("not", {"not_sub_policy": shadow(ERRORS)}),
    ],
)
def test_a_shadow_inside_of_another_policy_is_refused_and_named(policy: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="policy 'policy' has mode: shadow on 'errors' inside of it"):
        sampling(policy, ALWAYS)


def test_another_mode_is_refused() -> None:
    with pytest.raises(ValidationError, match="mode"):
        sampling({**ALWAYS, "mode": "dry-run"})
