"""The metrics of all requests, put together from their settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milvus_otel_processor.enrichment import rest
from milvus_otel_processor.enrichment.attributes import Selection
from milvus_otel_processor.enrichment.requests import SERVICE
from milvus_otel_processor.requests.attributes import encoded
from milvus_otel_processor.requests.natively import counts_natively
from milvus_otel_processor.requests.recorder import Recorder
from milvus_otel_processor.spans.stores import NATIVE, chosen
from milvus_otel_processor.spans.wanted import Wanted

if TYPE_CHECKING:
    from collections.abc import Callable

    from milvus_otel_processor.enrichment.component import Enrichment
    from milvus_otel_processor.enrichment.settings import MilvusSettings
    from milvus_otel_processor.requests.counts import Counts
    from milvus_otel_processor.requests.natively import NativeRecorder
    from milvus_otel_processor.requests.repeated import Repeats
    from milvus_otel_processor.requests.settings import RequestsSettings
    from milvus_otel_processor.spans.contract import Store, Trace
    from milvus_otel_processor.spans.stores import StoreKind
    from milvus_otel_processor.telemetry.counters import Telemetry

SPAN_MARKS = frozenset((SERVICE, *rest.PATHS))
"""One of these is in the bytes of every span of Milvus' own that is a request, but for the following."""
ROOT_MARK = rest.PROXY
"""How the names of root spans begin that are requests of REST's version 1."""

_NANOSECONDS = 1e9
_WANTED, _NOTHING = Wanted(texts=SPAN_MARKS | {ROOT_MARK}), Wanted()


class Requests:
    """Counts every request, and tells kept ones where their time went.

    A stage (see `pipeline.contracts.Stage`), directly behind enrichment, whose `enricher` knows the requests of a trace.
    """

    sees_all = False

    def __init__(
        self,
        settings: MilvusSettings,
        enrichment: Enrichment,
        telemetry: Telemetry,
        clock: Callable[[], float],
        store_kind: StoreKind,
    ) -> None:
        requests, on_span = settings.requests, settings.attributes.request
        self._wants_attribute = Selection(on_span.include, on_span.exclude).wants
        self.name = "requests"
        self.counts = make_counts(store_kind, requests)
        """Of all requests."""
        self._recorder = Recorder(
            enrichment.enricher.known,
            self.counts,
            apart=telemetry.calls_apart,
            failures=telemetry.stage_failures,
            clock=clock,
        )
        self._enrichment, self._store_kind = enrichment, store_kind
        self._apart = telemetry.calls_apart
        self._native: NativeRecorder | None = None
        self._counts_all = False
        self._times_read: Callable[[], bool] = lambda: True
        telemetry.watch(folded_requests=lambda: self.counts.series.folded)

    def count_in(self, store: Store, *, is_first: bool, times_read: Callable[[], bool]) -> None:
        """Count all requests, and have this store count by itself, where it can, those of traces that nobody else wants to see.

        `is_first` is whether no stage stands in front of enrichment; `times_read` tells whether rules may read where the time went.
        """
        self._counts_all, self._times_read = True, times_read
        if not counts_natively(self._store_kind, self._enrichment):
            return
        from milvus_otel_processor.requests.native_recorder import native_recorder  # noqa: PLC0415 - it may not be installed

        native = native_recorder(
            self._recorder,
            self.counts,
            self._enrichment,
            self._apart,
            wants=self._wants_attribute,
            is_first=is_first,
        )
        if store.count_with(native):
            self._native = native
            self._recorder.repeats = native

    def decided(self, trace: Trace, kept: bool) -> None:
        """Count the requests in a trace that was decided, or in a span that came later."""
        looked, last = self._recorder.looked, self._enrichment.enricher.last
        if self._native is None or (looked is not None and looked.trace is trace):
            self._recorder.see(trace, kept=kept)
        else:
            self._native.see(trace, kept, last[2] if last is not None and last[0] is trace else None)

    @property
    def repeats(self) -> Repeats:
        """What knows the requests that were counted."""
        return self._recorder.repeats

    def memory(self) -> int:
        """Return about how many bytes the counts take; asked for with every request that comes in."""
        return self.counts.size

    def wants(self, *, rules_read: bool) -> Wanted:
        """Return what traces have that hold requests, if these are to be counted here, or a rule reads their times."""
        is_read = rules_read and self._times_read()
        return _WANTED if is_read or (self._counts_all and self._native is None) else _NOTHING

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
        if self._native is not None and self._native.write_times(trace):
            return
        looked = self._recorder.look(trace)
        for served, times in zip(looked.calls.served, looked.times, strict=True):
            place = served.caller if served.caller is not None else served.request.server
            assert place is not None
            trace.append_missing(
                (place,), encoded([one / _NANOSECONDS for one in times], served.operation, self._wants_attribute)
            )

    def on_late_span(self, trace: Trace) -> None:
        """Do nothing: alone, a span does not tell where the time went."""


def make_counts(kind: StoreKind, settings: RequestsSettings) -> Counts:
    """Return what counts requests beside such a store."""
    bounds, of_stages = settings.histogram.explicit.buckets, settings.histogram.stages.explicit.buckets
    # Imported when it is wanted: the native one may not be installed.
    if chosen(kind) == NATIVE:
        from milvus_otel_processor.requests.native import NativeCounts  # noqa: PLC0415

        return NativeCounts(bounds, of_stages, settings.max_series, exemplars=settings.exemplars.enabled)
    from milvus_otel_processor.requests.histograms import ReferenceCounts  # noqa: PLC0415

    return ReferenceCounts(bounds, of_stages, settings.max_series, exemplars=settings.exemplars.enabled)
