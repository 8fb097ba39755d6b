"""`traces/ID`: why one trace was decided as it was, with its spans."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from milvus_otel_processor.page.decided import copied
from milvus_otel_processor.pipeline.triggers import BY_ROOT, DUE
from milvus_otel_processor.replay.decoded import decode
from milvus_otel_processor.replay.explain import document, in_order, trigger_words
from milvus_otel_processor.replay.explained import ROOT, TIME, Explained, Trigger, not_by_the_store
from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.sampling.explanation import Explanation, PolicyExplanation, TraceExplanation
from milvus_otel_processor.sampling.policies import Clock
from milvus_otel_processor.sampling.sampler import Sampler
from milvus_otel_processor.spans.groups import join_traces

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milvus_otel_processor.page.decided import Decided
    from milvus_otel_processor.spans.trace import ReferenceTrace


def why(one: Decided) -> dict[str, Any]:
    """Return the decision, what each policy says of the trace, and the spans. Raises DecodeError at a malformed span.

    It is the document of `milvus-otel explain --format json`, and what only the running processor knows. The policies are asked
    anew, of the trace as it was decided and by the rules of then. A policy with a memory, such as a rate limit, cannot be asked so;
    what it said is told as far as the decision shows it.
    """
    trace = copied(one.trace).without_malformed()
    explained = Explained(
        TraceExplanation(one.verdict, tuple(_explained(one, trace))),
        sorted(decode(join_traces([trace])), key=lambda span: span.start),
        trace.duration_nanoseconds / 1e6,
        bool(trace.roots),
        trace.complete,
        None,
        _trigger(one),
    )
    return {
        **document(trace.id.hex(), explained),
        "trigger_words": trigger_words(explained.trigger),
        "decided_at": one.at,
        "rules_since": one.rules.since,
        "malformed_spans": len(one.trace) - len(trace),
        "span_details": [{**asdict(span), "start": str(span.start), "end": str(span.end)} for span in explained.spans],
    }


def _trigger(one: Decided) -> Trigger:
    if one.trigger == BY_ROOT:
        return Trigger(ROOT, "")
    if one.trigger != DUE:
        return not_by_the_store(one.trigger)
    settings = one.rules.settings
    is_by_time = settings is not None and not (
        settings.decision_wait_after_root_received or settings.decision_wait_after_complete
    )
    return Trigger(TIME, "decision_wait" if is_by_time else "")


def _explained(one: Decided, trace: ReferenceTrace) -> Iterator[PolicyExplanation]:
    settings = one.rules.settings
    if settings is None:
        return
    clock = Clock(lambda: one.at, lambda: int(one.at * 1e9))
    # Its own sampler: one with a memory would take the question for another trace.
    sampler = Sampler(settings, clock)
    said = sampler.explain(trace)
    order = [policy.name for policy in in_order(said.policies)]
    for policy in said.policies:
        behind = (
            one.verdict.policy in order
            and policy.name in order
            and order.index(policy.name) > order.index(one.verdict.policy)
        )
        yield policy._replace(explanation=_then(policy, one, has_memory=sampler.has_memory(policy.name), behind=behind))


def _then(policy: PolicyExplanation, one: Decided, *, has_memory: bool, behind: bool) -> Explanation:
    """Return what the policy said when the trace was decided, as far as that is known."""
    now = policy.explanation
    if policy.name == one.verdict.policy:
        if now.decision is one.verdict.decision:
            return now
        reason = "it decided; asked again it answers otherwise: " + (
            "its answer depended on the traces before" if has_memory else f"{now.reason}"
        )
        return now._replace(decision=one.verdict.decision, reason=reason)
    if not has_memory or now.decision is Decision.NOT_SAMPLED:
        return now  # what does not sample with all its budget does not with less
    if behind or one.verdict.decision is Decision.DROPPED:
        return now._replace(
            decision=None, reason="its answer depended on the traces before, and did not matter: another decided"
        )
    return now._replace(
        decision=Decision.NOT_SAMPLED, reason="it would have sampled the trace, but for what it had sampled before"
    )
