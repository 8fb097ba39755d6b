"""Spans that come after the decision over their trace, and follow it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from milvus_otel_processor.pipeline.outlet import Kept, Outlet
    from milvus_otel_processor.pipeline.stages import Stages
    from milvus_otel_processor.spans.contract import Arrived, Trace
    from milvus_otel_processor.telemetry.counters import Telemetry

SAMPLED, NOT_SAMPLED = "sampled", "not_sampled"


class LateSpans:
    """Exports the late spans of traces that were sampled, and counts the others.

    `observe` is told of the former, and of all that the store was told to hand out though nobody decides over it.
    """

    def __init__(
        self,
        stages: Stages,
        outlet: Outlet,
        telemetry: Telemetry,
        observe: Callable[[Trace, bool], None] | None = None,
    ) -> None:
        self._stages = stages
        self._outlet = outlet
        self._telemetry = telemetry
        self._observe = observe

    def follow(self, arrived: Arrived, now: float) -> None:
        """Do with each late span as was decided of its trace; it came at `now`, in seconds of the pipeline's clock."""
        if arrived.late_not_sampled:
            self._telemetry.late_spans[NOT_SAMPLED] += arrived.late_not_sampled
        if self._observe is not None:
            for trace in arrived.passed:
                self._observe(trace, False)
        for kept, trace in arrived.late:
            self._telemetry.late_spans[SAMPLED] += 1
            self._telemetry.late_span_age.observe(now - kept.decided_at)
            if self._observe is not None:
                self._observe(trace, True)  # as it came: what it is given says of any span that it is about Milvus
            self._see(trace, kept)
            self._outlet.put(trace, kept)

    def _see(self, trace: Trace, kept: Kept) -> None:
        """Give a late span what all of its trace were given, and what is known of itself."""
        if len(trace.without_malformed()):
            for attributes in kept.common:
                trace.append_missing((0,), attributes)
            self._stages.on_late_span(trace)
