"""Policies made from the YAML's words."""

from collections.abc import Mapping

from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.sampling.policies import Clock as PolicyClock
from milvus_otel_processor.sampling.policies import Evaluator, Policy
from milvus_otel_processor.spans.contract import Trace
from pydantic import TypeAdapter

from tests.support.clock import Clock

_POLICY: TypeAdapter[Policy] = TypeAdapter(Policy)


def entry(type_: str, settings: Mapping[str, object] | None = None, name: str = "policy") -> dict[str, object]:
    """An entry under `policies`: of this type, with these settings under the key that is named like the type."""
    return {"name": name, "type": type_} | ({} if settings is None else {type_: settings})


def evaluator(type_: str, settings: Mapping[str, object] | None = None) -> Evaluator:
    return _POLICY.validate_python(entry(type_, settings)).evaluator()


def samples(trace: Trace, type_: str, settings: Mapping[str, object] | None = None) -> bool:
    """Whether a policy samples the trace; fails where it says neither yes nor no."""
    decision = evaluator(type_, settings).evaluate(trace)
    assert decision in (Decision.SAMPLED, Decision.NOT_SAMPLED)
    return decision is Decision.SAMPLED


def evaluator_at(clock: Clock, type_: str, settings: Mapping[str, object] | None = None) -> Evaluator:
    """An evaluator whose time is that of a clock that the test turns; its seconds are also those since the epoch."""
    policy_clock = PolicyClock(monotonic=clock, time_ns=lambda: round(clock.now * 1e9))
    return _POLICY.validate_python(entry(type_, settings)).evaluator(policy_clock)
