"""`always_sample`: every trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.sampling.hints.reads import Reads
from milvus_otel_processor.sampling.policies.base import SYSTEM_CLOCK, Clock, Evaluator, PolicySettings
from milvus_otel_processor.settings import Settings

if TYPE_CHECKING:
    from milvus_otel_processor.spans.contract import Trace


class AlwaysSample(Evaluator):
    """Samples every trace."""

    reads = Reads.NOTHING
    lasting = True

    def evaluate(self, trace: Trace) -> Decision:  # noqa: ARG002
        """Return SAMPLED."""
        return Decision.SAMPLED

    def why(self, trace: Trace, decision: Decision) -> str:  # noqa: ARG002
        """Return the reason."""
        return "samples every trace"


class AlwaysSamplePolicy(PolicySettings):
    """Every trace is kept."""

    type: Literal["always_sample"]
    always_sample: Settings | None = Field(default=None, description="Has no settings of its own.")

    def constant(self) -> bool:
        """Return True."""
        return True

    def evaluator(self, clock: Clock = SYSTEM_CLOCK) -> Evaluator:  # noqa: ARG002
        """Return the evaluator that these settings describe."""
        return AlwaysSample()
