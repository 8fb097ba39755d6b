"""One trace at its decision, with why it was decided so."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from milvus_otel_processor.pipeline.triggers import FIRST_MATCH, SHUTDOWN

if TYPE_CHECKING:
    from milvus_otel_processor.replay.kept_span import KeptSpan
    from milvus_otel_processor.sampling.explanation import TraceExplanation

TIME, ROOT, COMPLETE, FIRST, LIMIT = "time", "root", "complete", "first_match", "limit"
"""What can make a trace due, beside SHUTDOWN: its `decision_wait`, its root, that nothing of it is missing, that a policy samples
it whatever else arrives, or a limit."""


class Trigger(NamedTuple):
    """What made a trace due."""

    kind: str
    setting: str
    """The key of the `tail_sampling` block that says so; empty where none does."""


def not_by_the_store(trigger: str) -> Trigger:
    """Return what made a trace due, where that was not the store but one of the others in `pipeline.decider`."""
    kind = {FIRST_MATCH: FIRST, SHUTDOWN: SHUTDOWN}.get(trigger, LIMIT)
    return Trigger(kind, "" if kind == SHUTDOWN else trigger)


class Explained(NamedTuple):
    """One trace at its decision."""

    explanation: TraceExplanation
    spans: list[KeptSpan]
    """The spans that were there, with what enrichment wrote."""
    milliseconds: float
    has_root: bool
    complete: bool
    waited: float | None
    """Seconds from its first span to the decision, on the recording's clock; None where that is not known."""
    trigger: Trigger
