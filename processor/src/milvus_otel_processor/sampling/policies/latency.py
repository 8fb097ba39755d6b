"""`latency`: traces that took longer than a threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.sampling.hints.reads import Reads
from milvus_otel_processor.sampling.policies.base import SYSTEM_CLOCK, Clock, Evaluator, PolicySettings
from milvus_otel_processor.settings import Settings
from milvus_otel_processor.spans.wanted import Wanted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milvus_otel_processor.spans.contract import Trace

_NANOSECONDS_PER_MS = 1_000_000


class LatencySettings(Settings):
    """Settings of `latency`."""

    threshold_ms: int = Field(default=0, description="Milliseconds. Traces that took longer than this are sampled.")
    upper_threshold_ms: int = Field(
        default=0, description="Milliseconds. If not 0, traces that took longer than this are not sampled."
    )


class Latency(Evaluator):
    """Samples traces by the time from their earliest start to their latest end.

    With an upper bound the Collector's policy answers at the first span with which the part of the trace read so far is
    within the bounds, so that its answer depends on the order of the spans; this one reads the whole trace first.
    """

    reads = Reads.NOTHING
    always_answers = True

    def __init__(self, settings: LatencySettings) -> None:
        self.lasting = settings.upper_threshold_ms == 0
        self._more_than = settings.threshold_ms
        self._at_most = settings.upper_threshold_ms or None
        longest = _end_of(self._at_most) - 1 if self._at_most is not None else None
        self.wanted = Wanted(durations=((_end_of(self._more_than), longest),))

    def evaluate(self, trace: Trace) -> Decision:
        """Return SAMPLED where the trace's duration, in whole milliseconds, is within the bounds."""
        duration = _milliseconds(trace)
        if duration > self._more_than and (self._at_most is None or duration <= self._at_most):
            return Decision.SAMPLED
        return Decision.NOT_SAMPLED

    def why(self, trace: Trace, decision: Decision) -> str:  # noqa: ARG002
        """Return the reason."""
        took = f"{_milliseconds(trace):,} ms"
        if _milliseconds(trace) <= self._more_than:
            return f"{took}, not above {self._more_than:,} ms"
        if self._at_most is None:
            return f"{took}, above {self._more_than:,} ms"
        is_within = _milliseconds(trace) <= self._at_most
        return f"{took}, above {self._more_than:,} ms and {'not ' if is_within else ''}above {self._at_most:,} ms"


def _end_of(milliseconds: int) -> int:
    """Return the least number of nanoseconds that are more than so many whole milliseconds."""
    return (milliseconds + 1) * _NANOSECONDS_PER_MS if milliseconds >= 0 else milliseconds * _NANOSECONDS_PER_MS + 1


def _milliseconds(trace: Trace) -> int:
    nanoseconds = trace.duration_nanoseconds
    # As in Go, the fraction is cut off, so that -0.5 ms are 0 ms.
    milliseconds = abs(nanoseconds) // _NANOSECONDS_PER_MS
    return milliseconds if nanoseconds >= 0 else -milliseconds


class LatencyPolicy(PolicySettings):
    """Traces by how long they took, from the earliest start to the latest end of their spans."""

    type: Literal["latency"]
    latency: LatencySettings

    def remarks(self) -> Iterator[str]:
        """Yield bounds that no trace is within, and bounds that are none."""
        latency = self.latency
        if self._is_empty():
            yield (
                f"latency.upper_threshold_ms: {latency.upper_threshold_ms} is not above threshold_ms, {latency.threshold_ms}, so "
                f"that no trace is sampled"
            )
        elif latency.threshold_ms < 0:
            yield f"latency.threshold_ms: {latency.threshold_ms} is below 0, and no trace takes less than 0 ms"
        elif not latency.model_fields_set & {"threshold_ms", "upper_threshold_ms"}:
            yield "latency.threshold_ms: is 0 where it is not set: every trace of 1 ms or more is sampled"

    def _is_empty(self) -> bool:
        return self.latency.upper_threshold_ms != 0 and self.latency.upper_threshold_ms <= self.latency.threshold_ms

    def constant(self) -> bool | None:
        """Return False where no duration is within the bounds."""
        return False if self._is_empty() else None

    def evaluator(self, clock: Clock = SYSTEM_CLOCK) -> Evaluator:  # noqa: ARG002
        """Return the evaluator that these settings describe."""
        return Latency(self.latency)
