"""The `milvus` processor, put together from its settings: sources, catalogue and what writes on spans."""

from __future__ import annotations

from time import time_ns
from typing import TYPE_CHECKING

from milvus_otel_processor.enrichment.access_log.logs import AccessLog
from milvus_otel_processor.enrichment.access_log.stores import make_line_store
from milvus_otel_processor.enrichment.attributes import Selection, Writer
from milvus_otel_processor.enrichment.catalogue.catalogue import Catalogue
from milvus_otel_processor.enrichment.catalogue.milvus import TRACE_ID
from milvus_otel_processor.enrichment.catalogue.upkeep import Upkeep
from milvus_otel_processor.enrichment.enricher import Enricher
from milvus_otel_processor.enrichment.grpc_status import failures_of_grpc, grpc_may_have_failed
from milvus_otel_processor.enrichment.sources.access_log import AccessLogSource
from milvus_otel_processor.enrichment.sources.channel import ChannelSource
from milvus_otel_processor.enrichment.sources.client import ClientSource
from milvus_otel_processor.enrichment.sources.custom import CustomSource, load
from milvus_otel_processor.spans.wanted import Wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from milvus_otel_processor.enrichment.access_log.contract import LineStore
    from milvus_otel_processor.enrichment.catalogue.collection import Collection
    from milvus_otel_processor.enrichment.settings import MilvusSettings, SelectionSettings
    from milvus_otel_processor.enrichment.sources.base import Source
    from milvus_otel_processor.spans.attributes import Encoded
    from milvus_otel_processor.spans.contract import Trace
    from milvus_otel_processor.spans.stores import StoreKind
    from milvus_otel_processor.telemetry.counters import Telemetry

_NANOSECONDS = 1e9
_NEVER = 0.0
"""Of a time in metrics: it has not happened yet."""


class Enrichment:
    """Owns what enrichment keeps: the lines of the access log, the catalogue, and the thread that reads it.

    `is_waiting` tells whether a trace waits for its decision, and `wait` for how long traces do; seconds. `store_kind` is the store
    that they wait in. `on_catalogue` is called in another thread with all collections when they have been read.

    A stage (see `pipeline.contracts.Stage`). `enricher` works on traces; `access_log` takes in log requests, and is None where
    it is not among the sources.
    Raises SourceError where a source of the user's own cannot be had, and CertificateError where a
    file of the TLS settings cannot be read.
    """

    def __init__(
        self,
        settings: MilvusSettings,
        telemetry: Telemetry,
        *,
        name: str = "milvus",
        clock: Callable[[], float],
        random: Random,
        is_waiting: Callable[[bytes], bool],
        wait: Callable[[], float] = lambda: 0.0,
        on_catalogue: Callable[[Sequence[Collection]], object] = lambda _: None,
        store_kind: StoreKind = "auto",
        time_ns: Callable[[], int] = time_ns,
    ) -> None:
        self.name = name
        self.catalogue = Catalogue()
        store = make_line_store(
            store_kind,
            own=TRACE_ID,
            max_lines=settings.access_log.max_lines,
            hold=lambda: settings.access_log.hold + wait(),
            clock=clock,
            counts=telemetry.access_log_lines,
            is_waiting=is_waiting,
        )
        channels = ChannelSource(self.catalogue)
        lines = AccessLogSource(store, self.catalogue)
        known: dict[str, Source] = {"client": ClientSource(), "access_log": lines, "channel": channels}
        is_known = store.knows if "access_log" in settings.sources else lambda _: False
        sources = [known.get(name) or load(name, telemetry.source_failures) for name in settings.sources]
        self.access_log = self._access_log(store, telemetry, time_ns) if lines in sources else None
        self.enricher = Enricher(
            sources=sources,
            channels=channels if channels in sources else None,
            resolve=self.catalogue.find,
            doubt=self.catalogue.doubt,
            may_fail=_may_fail(sources),
            is_known=is_known if all(name in known for name in settings.sources) else None,
            writer=Writer(_selection(settings.attributes.subtree), _selection(settings.attributes.request)),
            spans=telemetry.enriched_spans,
            requests=telemetry.enriched_requests,
        )
        self._upkeep = Upkeep(
            settings,
            self.catalogue,
            telemetry,
            clock=clock,
            random=random,
            time_ns=time_ns,
            on_catalogue=on_catalogue,
        )
        self.lines = store if lines in sources else None
        """The lines that are asked about requests, where they are."""
        self._failures = Wanted(
            failures=failures_of_grpc(store.knows_failure if lines in sources else lambda *_: False)
        )
        self._observe = store.observe if lines in sources else None

    def _access_log(self, store: LineStore, telemetry: Telemetry, time_ns: Callable[[], int]) -> AccessLog:
        telemetry.access_log_last_line = _NEVER
        return AccessLog(
            store,
            telemetry.access_log_lines,
            own=TRACE_ID,
            changed=self.catalogue.change,
            wrote=self.catalogue.wrote,
            on_lines=lambda: setattr(telemetry, "access_log_last_line", time_ns() / _NANOSECONDS),
        )

    sees_all = False

    def on_request(self, request: bytes) -> None:
        """Let the access log's source see the calls in a request on its way in."""
        if self._observe is not None:
            self._observe(request)

    def has_to_see(self, trace: Trace) -> bool:
        """Tell whether one of the trace's spans may become an ERROR; False is a sure no."""
        return self.enricher.may_fail(trace)

    def wants(self, *, rules_read: bool) -> Wanted | None:
        """Return what it knows traces by of which it may know something; None with a source of the user's own, who knows what.

        Where no rule reads that, those are enough in which a request may have failed.
        """
        wanted = self.enricher.wants
        return wanted if rules_read or wanted is None else self._failures

    def unwanted(self, calls: int) -> None:
        """Count the requests in traces of which nothing is known."""
        self.enricher.count_unknown(calls)

    def on_trace(self, trace: Trace) -> Encoded | None:
        """Give the spans of each request what is known of it; return what a late span is to be given."""
        return self.enricher.enrich(trace)

    def on_late_span(self, trace: Trace) -> None:
        """Do the same with a late span, where it is that of a request, and one may have failed."""
        self.enricher.enrich_late(trace)

    def start(self) -> None:
        """Read the catalogue from now on."""
        self._upkeep.start()

    def renew(self) -> bool:
        """Read Milvus' certificates again; tell whether they have changed."""
        return self._upkeep.renew()

    def stop(self, timeout: float) -> None:
        """Stop reading the catalogue, within about `timeout` seconds."""
        self._upkeep.stop(timeout)


def _may_fail(sources: Sequence[Source]) -> Callable[[Trace], bool]:
    """Return what tells whether one of a trace's requests may have failed, as far as these sources know."""
    if any(isinstance(source, CustomSource) for source in sources):
        return lambda _: True  # nobody knows what a user's source knows
    lines = next((source for source in sources if isinstance(source, AccessLogSource)), None)
    return lines.may_fail if lines is not None else grpc_may_have_failed


def _selection(settings: SelectionSettings) -> Selection:
    return Selection(settings.include, settings.exclude)
