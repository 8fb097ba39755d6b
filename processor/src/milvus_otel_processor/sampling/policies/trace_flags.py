"""`trace_flags`: traces in which a span has the W3C sampled flag."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.sampling.explanation import span_words
from milvus_otel_processor.sampling.hints.reads import Reads
from milvus_otel_processor.sampling.policies.base import SYSTEM_CLOCK, Clock, Evaluator, PolicySettings
from milvus_otel_processor.settings import Settings

if TYPE_CHECKING:
    from milvus_otel_processor.spans.contract import Trace

_FLAGS_TAG = b"\x85\x01"  # field 16, fixed32
_SAMPLED = 0x01


class TraceFlags(Evaluator):
    """Samples traces in which the flags of a span have the bit `sampled`."""

    reads = Reads.NOTHING
    lasting = True

    def evaluate(self, trace: Trace) -> Decision:
        """Return SAMPLED where a span has the flag; a span without flags has not."""
        sampled = any(head.flags & _SAMPLED for head in trace.heads)
        return Decision.SAMPLED if sampled else Decision.NOT_SAMPLED

    def why(self, trace: Trace, decision: Decision) -> str:  # noqa: ARG002
        """Return the reason."""
        for index, head in enumerate(trace.heads):
            if head.flags & _SAMPLED:
                return f"{span_words(trace, index)} has the flag `sampled`"
        return "no span has the flag `sampled`"


class TraceFlagsPolicy(PolicySettings):
    """Traces that their sender sampled."""

    type: Literal["trace_flags"]
    trace_flags: Settings | None = Field(default=None, description="Has no settings of its own.")

    def evaluator(self, clock: Clock = SYSTEM_CLOCK) -> Evaluator:  # noqa: ARG002
        """Return the evaluator that these settings describe."""
        return TraceFlags()
