"""Spans that come after the decision over their trace, and follow it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from milvus_otel_processor.pipeline.outlet import Kept, Outlet
    from milvus_otel_processor.pipeline.stages import Stages
    from milvus_otel_processor.spans.contract import Arrived, Trace
    from milvus_otel_processor.telemetry.counters import Telemetry

SAMPLED, NOT_SAMPLED = "sampled", "not_sampled"


class LateSpans:
    """Exports the late spans of traces that were sampled, and counts the others."""

    def __init__(self, stages: Stages, outlet: Outlet, telemetry: Telemetry) -> None:
        self._stages = stages
        self._outlet = outlet
        self._telemetry = telemetry

    def follow(self, arrived: Arrived, now: float) -> None:
        """Do with each late span as was decided of its trace; it came at `now`, in seconds of the pipeline's clock."""
        if arrived.late_not_sampled:
            self._telemetry.late_spans[NOT_SAMPLED] += arrived.late_not_sampled
        for kept, trace in arrived.late:
            self._telemetry.late_spans[SAMPLED] += 1
            self._telemetry.late_span_age.observe(now - kept.decided_at)
            self._see(trace, kept)
            self._outlet.put(trace, kept)

    def _see(self, trace: Trace, kept: Kept) -> None:
        """Give a late span what all of its trace were given, and what is known of itself."""
        if len(trace.without_malformed()):
            for attributes in kept.common:
                trace.append_missing((0,), attributes)
            self._stages.on_late_span(trace)
