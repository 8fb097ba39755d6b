"""`span_count`: traces with so many spans."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.sampling.explanation import amount
from milvus_otel_processor.sampling.hints.reads import Reads
from milvus_otel_processor.sampling.policies.base import SYSTEM_CLOCK, Clock, Evaluator, PolicySettings
from milvus_otel_processor.settings import Settings
from milvus_otel_processor.spans.wanted import Wanted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milvus_otel_processor.spans.contract import Trace


class SpanCountSettings(Settings):
    """Settings of `span_count`."""

    min_spans: int = Field(default=0, description="Traces with fewer spans are not sampled.")
    max_spans: int = Field(default=0, description="Traces with more spans are not sampled; 0 means no limit.")


class SpanCount(Evaluator):
    """Samples traces by the number of their spans."""

    reads = Reads.NOTHING

    def __init__(self, settings: SpanCountSettings) -> None:
        self.lasting = settings.max_spans == 0
        self._least = settings.min_spans
        self._greatest = settings.max_spans or math.inf
        self.wanted = Wanted(counts=((settings.min_spans, settings.max_spans or None),))

    def evaluate(self, trace: Trace) -> Decision:
        """Return SAMPLED where the number of spans is within the bounds, both included."""
        return Decision.SAMPLED if self._least <= len(trace) <= self._greatest else Decision.NOT_SAMPLED

    def why(self, trace: Trace, decision: Decision) -> str:  # noqa: ARG002
        """Return the reason."""
        bounds = f"at least {self._least:,}" + (
            f" and at most {self._greatest:,}" if self._greatest != math.inf else ""
        )
        return f"{amount(len(trace), 'span')}, wanted {bounds}"


class SpanCountPolicy(PolicySettings):
    """Traces by the number of their spans."""

    type: Literal["span_count"]
    span_count: SpanCountSettings

    def remarks(self) -> Iterator[str]:
        """Yield bounds between which no number of spans is, or every one."""
        count = self.span_count
        if self.constant() is False:
            yield f"span_count.max_spans: {count.max_spans} is below {max(count.min_spans, 1)}, so that no trace is sampled"
        elif self.constant():
            yield f"span_count.min_spans: {count.min_spans} is what every trace has, so that every trace is sampled"

    def constant(self) -> bool | None:
        """Return False where no number of spans is within the bounds, True where every one is."""
        least, greatest = max(self.span_count.min_spans, 1), self.span_count.max_spans
        if greatest != 0 and greatest < least:
            return False
        return True if least == 1 and greatest == 0 else None

    def evaluator(self, clock: Clock = SYSTEM_CLOCK) -> Evaluator:  # noqa: ARG002
        """Return the evaluator that these settings describe."""
        return SpanCount(self.span_count)
