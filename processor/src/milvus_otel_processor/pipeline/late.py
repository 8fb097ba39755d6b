"""Spans that come after the decision over their trace, and follow it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from milvus_otel_processor.telemetry.faults import FaultLog

if TYPE_CHECKING:
    from collections.abc import Callable

    from milvus_otel_processor.enrichment.enricher import Enricher
    from milvus_otel_processor.pipeline.outlet import Kept, Outlet
    from milvus_otel_processor.spans.contract import Arrived, Trace
    from milvus_otel_processor.telemetry.counters import Telemetry

_log = logging.getLogger(__name__)

SAMPLED, NOT_SAMPLED = "sampled", "not_sampled"


class LateSpans:
    """Exports the late spans of traces that were sampled, and counts the others."""

    def __init__(
        self, enricher: Enricher | None, outlet: Outlet, telemetry: Telemetry, clock: Callable[[], float]
    ) -> None:
        self._enricher = enricher
        self._outlet = outlet
        self._telemetry = telemetry
        self._faults = FaultLog(_log, clock)

    def follow(self, arrived: Arrived) -> None:
        """Do with each late span as was decided of its trace."""
        if arrived.late_not_sampled:
            self._telemetry.late_spans[NOT_SAMPLED] += arrived.late_not_sampled
        for kept, trace in arrived.late:
            self._telemetry.late_spans[SAMPLED] += 1
            self._outlet.put(self._enriched(trace, kept), kept)

    def _enriched(self, trace: Trace, kept: Kept) -> Trace:
        """Give a late span what is known of it; Milvus' span of a failed request becomes an ERROR."""
        if self._enricher is None or not len(trace.without_malformed()):
            return trace
        if kept.common is not None:
            trace.append_missing((0,), kept.common)
        try:
            self._enricher.enrich_late(trace)
        except Exception as error:  # noqa: BLE001 - as with the decision: a fault of ours must cost no more than the answer
            self._faults.tell(error, "enriching a late span failed: trace_id=%s", trace.id.hex())
        return trace
