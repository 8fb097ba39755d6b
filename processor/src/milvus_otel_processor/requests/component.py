"""The metrics of all requests, put together from their settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milvus_otel_processor.enrichment import rest
from milvus_otel_processor.enrichment.attributes import Selection
from milvus_otel_processor.enrichment.requests import SERVICE
from milvus_otel_processor.requests.attributes import encoded
from milvus_otel_processor.requests.histograms import Histograms
from milvus_otel_processor.requests.recorder import Recorder
from milvus_otel_processor.spans.wanted import Wanted

if TYPE_CHECKING:
    from collections.abc import Callable

    from milvus_otel_processor.enrichment.enricher import Enricher
    from milvus_otel_processor.enrichment.settings import MilvusSettings
    from milvus_otel_processor.requests.record import Observer
    from milvus_otel_processor.spans.contract import Trace
    from milvus_otel_processor.telemetry.counters import Telemetry

SPAN_MARKS = frozenset((SERVICE, *rest.PATHS))
"""One of these is in the bytes of every span of Milvus' own that is a request, but for the following."""
ROOT_MARK = rest.PROXY
"""How the names of root spans begin that are requests of REST's version 1."""

_WANTED = Wanted(texts=SPAN_MARKS | {ROOT_MARK})


class Requests:
    """Counts every request, and tells kept ones where their time went.

    A stage (see `pipeline.contracts.Stage`), directly behind enrichment, whose `enricher` knows the requests of a trace.
    """

    sees_all = False

    def __init__(
        self, settings: MilvusSettings, enricher: Enricher, telemetry: Telemetry, clock: Callable[[], float]
    ) -> None:
        requests, on_span = settings.requests, settings.attributes.request
        self._wants_attribute = Selection(on_span.include, on_span.exclude).wants
        self.name = "requests"
        self._recorder = Recorder(
            enricher.known,
            max_series=requests.max_series,
            apart=telemetry.calls_apart,
            failures=telemetry.stage_failures,
            clock=clock,
        )
        self.histograms = Histograms(requests.histogram.explicit.buckets, exemplars=requests.exemplars.enabled)
        """Of all requests."""
        self.observe_with(self.histograms)
        telemetry.watch(folded_requests=lambda: self._recorder.series.folded)

    def observe_with(self, observer: Observer) -> None:
        """Tell this observer of each request from now on."""
        self._recorder.observers.append(observer)

    def decided(self, trace: Trace, kept: bool) -> None:
        """Count the requests in a trace that was decided, or in a span that came later."""
        self._recorder.see(trace, kept=kept)

    def wants(self, *, rules_read: bool) -> Wanted:  # noqa: ARG002 - it counts, whatever rules read
        """Return what the traces have that hold requests."""
        return _WANTED

    def unwanted(self, calls: int) -> None:
        """Do nothing: it wants all calls."""

    def start(self) -> None:
        """Do nothing: it has no thread."""

    def stop(self, timeout: float) -> None:
        """Do nothing, likewise."""

    def on_request(self, request: bytes) -> None:
        """Do nothing: requests count when their trace is decided."""

    def has_to_see(self, trace: Trace) -> bool:  # noqa: ARG002
        """Tell that no status depends on it."""
        return False

    def on_trace(self, trace: Trace) -> None:
        """Write on the span of each request where its time went."""
        looked = self._recorder.look(trace)
        for served, times in zip(looked.calls.served, looked.times, strict=True):
            place = served.caller if served.caller is not None else served.request.server
            assert place is not None
            trace.append_missing((place,), encoded(times, served.operation, self._wants_attribute))

    def on_late_span(self, trace: Trace) -> None:
        """Do nothing: alone, a span does not tell where the time went."""
