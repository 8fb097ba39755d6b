"""A recording, sent through the whole pipeline by its own clock."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from random import Random
from typing import TYPE_CHECKING

from milvus_otel_processor.components import StageSettings
from milvus_otel_processor.enrichment.settings import MilvusSettings
from milvus_otel_processor.sampling.policies import Clock as Clocks
from milvus_otel_processor.sampling.settings import TailSamplingSettings
from milvus_otel_processor.service.assemble import assemble
from milvus_otel_processor.telemetry.counters import Telemetry
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support import stores
from tests.support.clock import Clock

if TYPE_CHECKING:
    from collections.abc import Callable

    from milvus_otel_processor.spans.contract import Trace

    from tests.support.recordings import Recording

KEEP_ALL = {"policies": [{"name": "everything", "type": "always_sample"}]}
_LOG_DELAY = 0.2  # seconds from a line to its arrival: the Collector polls and batches
_AT_ONCE = 0.1  # seconds of lines that come in one request


class Replayed:
    """What came out: kept spans by their id, and those of them that are Milvus' own of a request."""

    def __init__(self, sampling: TailSamplingSettings) -> None:
        self.clock = Clock()
        self.telemetry = Telemetry()
        self.spans: dict[bytes, Span] = {}
        self.policies: dict[bytes, str] = {}
        self._sampling = sampling
        clock = Clocks(self.clock, lambda: int(self.clock.now * 1e9))
        assembled = assemble(
            self, exporter=self, telemetry=self.telemetry, clock=clock, random=Random(0), store_kind=stores.kind()
        )
        assert assembled.enrichment is not None
        assert assembled.requests is not None
        self.pipeline, self.enrichment, self.requests = assembled.pipeline, assembled.enrichment, assembled.requests

    milvus = MilvusSettings()

    @property
    def stages(self) -> list[StageSettings]:
        return [StageSettings("milvus", self.milvus)] if self.milvus is not None else []

    @property
    def tail_sampling(self) -> TailSamplingSettings:
        return self._sampling

    @property
    def served(self) -> list[Span]:
        """Milvus' own spans of requests, gRPC and REST."""
        return [
            span
            for span in self.spans.values()
            if (span.kind == Span.SPAN_KIND_SERVER and span.name.startswith("milvus.proto.milvus.MilvusService/"))
            or span.name.startswith(("/v1/", "/v2/"))
            or (not span.parent_span_id and span.name.startswith("Proxy-"))
        ]

    def put(self, trace: Trace) -> None:
        """Take kept spans, as an exporter does."""
        for raw in trace.spans:
            span = Span.FromString(raw)
            self.spans[span.span_id] = span

    def turn_to(self, seconds: float) -> None:
        """Turn the clock, deciding what is due on the way."""
        while self.clock.now + 0.1 < seconds:
            self.clock.now += 0.1
            self.pipeline.tick()
        self.clock.now = max(self.clock.now, seconds)
        self.pipeline.tick()


def replay(
    recording: Recording,
    *,
    sampling: TailSamplingSettings | None = None,
    lost: float = 0.0,
    random: Random | None = None,
    ahead: float = 0.0,
    watch: Callable[[Replayed], object] = lambda _: None,
) -> Replayed:
    """Send a recording through, everything when it came; without these shares of spans and of lines.

    `sampling` is what to decide by; all is kept without one. `watch` is called before anything comes. The processor's clock is
    `ahead` of Milvus' by so many seconds.
    """
    chance = random or Random(1)
    settings = sampling if sampling is not None else TailSamplingSettings.model_validate(KEEP_ALL)
    replayed = Replayed(settings)
    watch(replayed)
    events: list[tuple[float, int, bool, bytes]] = []
    for place, request in enumerate(recording.requests):
        message = _thinned(request, lost, chance)
        ends = [
            span.end_time_unix_nano
            for resource in message.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        if ends:
            events.append((max(ends) / 1e9, place, False, message.SerializeToString()))
    for of_proxy in recording.logs.values():
        for place, (at, lines) in enumerate(_batches([one for one in of_proxy if chance.random() >= lost])):
            events.append((at + _LOG_DELAY, place, True, _logs(lines)))
    events.sort()
    replayed.clock.now = events[0][0] + ahead if events else 0.0
    for at, _, is_log, content in events:
        replayed.turn_to(at + ahead)
        if is_log:
            assert replayed.enrichment.access_log is not None
            replayed.enrichment.access_log.ingest(content)
        else:
            replayed.pipeline.ingest(content)
    replayed.turn_to(replayed.clock.now + settings.decision_wait + 1)
    return replayed


def _thinned(request: bytes, lost: float, random: Random) -> ExportTraceServiceRequest:
    message = ExportTraceServiceRequest.FromString(request)
    if lost:
        for resource in message.resource_spans:
            for scope in resource.scope_spans:
                kept = [span for span in scope.spans if random.random() >= lost]
                del scope.spans[:]
                scope.spans.extend(kept)
    return message


def _batches(lines: list[str]) -> list[tuple[float, list[str]]]:
    batches: list[tuple[float, list[str]]] = []
    for line in lines:
        at = batches[-1][0] if batches else 0.0
        with suppress(ValueError):  # what comes in another format follows the line before
            at = datetime.strptime(line[:30], "%Y/%m/%d %H:%M:%S.%f %z").timestamp()
        if batches and at < batches[-1][0] + _AT_ONCE:
            batches[-1][1].append(line)
        else:
            batches.append((at, [line]))
    return batches


def _logs(lines: list[str]) -> bytes:
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    for line in lines:
        records.add().body.string_value = line
    return request.SerializeToString()
