"""`traces/ID`: why one trace was decided as it was, with its spans."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from milvus_otel_processor.demo.sink import decode
from milvus_otel_processor.page.decided import copied
from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.sampling.policies import Clock
from milvus_otel_processor.sampling.sampler import Sampler
from milvus_otel_processor.spans.groups import join_traces

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milvus_otel_processor.page.decided import Decided
    from milvus_otel_processor.sampling.explanation import Explanation, PolicyExplanation, TraceExplanation
    from milvus_otel_processor.spans.trace import ReferenceTrace

_NOT_ASKED = "not_asked"
_SOURCE = "milvus.enrichment"
_TRIGGERS = {"due": "its wait was over", "shutdown": "the processor stopped", "memory_limit": "memory was short"}


def why(one: Decided) -> dict[str, Any]:
    """Return the decision, what each policy says of the trace, and the spans. Raises DecodeError at a malformed span.

    The policies are asked anew, of the trace as it was decided and by the rules of then. A policy with a memory, such as a rate
    limit, cannot be asked so; what it said is told as far as the decision shows it.
    """
    trace = copied(one.trace).without_malformed()
    spans = sorted(decode(join_traces([trace])), key=lambda span: span.start)
    return {
        "trace_id": trace.id.hex(),
        "decision": one.verdict.decision.value,
        "policy": one.verdict.policy,
        "decided_at": one.at,
        "trigger": one.trigger,
        "trigger_words": _TRIGGERS.get(one.trigger, f"the limit {one.trigger} was reached"),
        "rules_since": one.rules.since,
        "duration_ms": trace.duration_nanoseconds / 1e6,
        "has_root": bool(trace.roots),
        "complete": trace.complete,
        "enrichment": sorted({str(span.attributes[_SOURCE]) for span in spans if _SOURCE in span.attributes}),
        "policies": [_as_dict(said) for said in _explained(one, trace)],
        "malformed_spans": len(one.trace) - len(trace),
        "spans": [{**asdict(span), "start": str(span.start), "end": str(span.end)} for span in spans],
    }


def _explained(one: Decided, trace: ReferenceTrace) -> Iterator[PolicyExplanation]:
    settings = one.rules.settings
    if settings is None:
        return
    clock = Clock(lambda: one.at, lambda: int(one.at * 1e9))
    # Its own sampler: one with a memory would take the question for another trace.
    sampler = Sampler(settings, clock)
    said = sampler.explain(trace)
    behind = False
    for policy in _in_order(said):
        yield policy._replace(explanation=_then(policy, one, has_memory=sampler.has_memory(policy.name), behind=behind))
        behind = behind or policy.name == one.verdict.policy


def _in_order(said: TraceExplanation) -> list[PolicyExplanation]:
    return list(said.policies)


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


def _as_dict(said: PolicyExplanation) -> dict[str, Any]:
    return {"name": said.name, "type": said.type, "mode": said.mode, **_explanation(said.explanation)}


def _explanation(explanation: Explanation) -> dict[str, Any]:
    decision = explanation.decision
    inside = [{"name": name, **_explanation(below)} for name, below in explanation.inside]
    return {
        "verdict": decision.value if decision is not None else _NOT_ASKED,
        "reason": explanation.reason,
        **({"policies": inside} if inside else {}),
    }
