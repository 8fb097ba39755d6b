"""Traces, spans and enrichers for the tests."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import TYPE_CHECKING, Any

from milvus_otel_processor.enrichment.catalogue.collection import Collection, VectorField
from milvus_otel_processor.enrichment.component import Enrichment
from milvus_otel_processor.enrichment.settings import MilvusSettings
from milvus_otel_processor.spans.contract import Trace
from milvus_otel_processor.spans.groups import GroupRegistry
from milvus_otel_processor.spans.trace import ReferenceTrace
from milvus_otel_processor.telemetry.counters import Telemetry
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support import stores

if TYPE_CHECKING:
    from collections.abc import Iterable

    from milvus_otel_processor.spans.attributes import Encoded
    from milvus_otel_processor.spans.groups import Group

SERVER, CLIENT, INTERNAL = Span.SPAN_KIND_SERVER, Span.SPAN_KIND_CLIENT, Span.SPAN_KIND_INTERNAL
TRACE_ID = bytes(range(1, 17))
START = 1_795_000_000_000_000_000
"""When the first span of a test begins: 2026-11-18 11:06:40 UTC, in nanoseconds."""
MILLISECOND = 1_000_000
SEARCH = "milvus.proto.milvus.MilvusService/Search"
"""The name of Milvus' own span of a search."""


PRODUCTS = Collection(
    470643241072459884,
    "default",
    "products",
    aliases=("live",),
    description="what we sell",
    shard_count=2,
    partition_count=1,
    consistency_level="Bounded",
    dynamic_field=True,
    row_count=12,
    load_state="Loaded",
    replica_count=1,
    vector_fields=(VectorField("embedding", 64, "HNSW", "COSINE"),),
)
"""A collection in the catalogue."""
CHANNEL = f"search segments done, channel = by-dev-rootcoord-dml_0_{PRODUCTS.id}v0, cost 1ms"
"""An event of Milvus' that names a channel of this collection."""


def span(
    number: int,
    name: str,
    *,
    parent: int = 0,
    kind: Any = INTERNAL,
    start: int = 0,
    cost: int = 5 * MILLISECOND,
    trace_id: bytes = TRACE_ID,
    events: Iterable[str] = (),
    **attributes: Any,
) -> Span:
    """A span; in attribute names `__` stands for a dot. `start` counts from START."""
    result = Span(
        trace_id=trace_id,
        span_id=number.to_bytes(8, "big"),
        parent_span_id=parent.to_bytes(8, "big") if parent else b"",
        name=name,
        kind=kind,
        start_time_unix_nano=START + start,
        end_time_unix_nano=START + start + cost,
    )
    for key, value in attributes.items():
        pair = result.attributes.add(key=key.replace("__", "."))
        if isinstance(value, int):
            pair.value.int_value = value
        else:
            pair.value.string_value = value
    for event in events:
        result.events.add(name=event)
    return result


def served(number: int, method: str, **more: Any) -> Span:
    """Milvus' own span of a request."""
    return span(number, f"milvus.proto.milvus.MilvusService/{method}", kind=SERVER, **more)


def line(
    method: str,
    collection: str = "products",
    *,
    end: int = 5 * MILLISECOND,
    cost: str = "5ms",
    trace_id: str = TRACE_ID.hex(),
    peer: str = "tcp-127.0.0.1:5000",
    user: str = "Unknown",
    sdk: str = "Python-3.0.2",
    namespace: str = "default",
    partitions: str = "[]",
    status: str = "OK",
    code: str = "0",
    message: str = "",
) -> str:
    """A line of the access log; `end` counts nanoseconds from START."""
    milliseconds = (START + end) // MILLISECOND
    seconds = milliseconds // 1000 % 86400
    now = f"2026/11/18 {seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{milliseconds % 1000:03} +00:00"
    fields = (
        now,
        method,
        peer,
        cost,
        trace_id,
        user,
        sdk,
        namespace,
        partitions,
        collection,
        cost,
        status,
        code,
        f"msg={message}",
    )
    return "\t".join(fields)


def trace_of(*spans: Span, service: str = "standalone") -> Trace:
    """A trace of these spans, in this order: those of callers come from an application, the others from Milvus."""
    milvus, app = _group(service, node=1), _group("app")
    groups = [app if _is_callers(one) else milvus for one in spans]
    return ReferenceTrace(spans[0].trace_id, groups, [one.SerializeToString() for one in spans])


def _is_callers(one: Span) -> bool:
    return (
        one.kind == CLIENT
        or one.name.startswith("app")
        or any(pair.key.startswith("db.system") for pair in one.attributes)
    )


@cache
def _group(service: str, node: int | None = None) -> Group:
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    resource_spans.resource.attributes.add(key="service.name").value.string_value = service
    if node is not None:
        resource_spans.resource.attributes.add(key="NodeID").value.int_value = node
    resource_spans.scope_spans.add().spans.add(trace_id=TRACE_ID)
    ((group, _),) = GroupRegistry().split(request.SerializeToString())
    return group


def request_trace(*more: Span) -> Trace:
    """A search, with these spans besides."""
    return trace_of(served(1, "Search"), span(2, "SearchTask", parent=1), *more)


def traces_of(requests: Iterable[bytes]) -> dict[bytes, Trace]:
    """The traces in these requests, by trace id."""
    registry = GroupRegistry()
    parts: dict[bytes, tuple[list[Any], list[bytes]]] = defaultdict(lambda: ([], []))
    for request in requests:
        for group, spans in registry.split(request):
            for raw in spans:
                groups, of_trace = parts[Span.FromString(raw).trace_id]
                groups.append(group)
                of_trace.append(raw)
    return {trace_id: ReferenceTrace(trace_id, groups, spans) for trace_id, (groups, spans) in parts.items()}


def logs(*lines: str) -> bytes:
    """A serialized ExportLogsServiceRequest with these bodies, as the `filelog` receiver makes it."""
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    for text in lines:
        records.add().body.string_value = text
    return request.SerializeToString()


@dataclass
class Clock:
    """A clock that tests turn."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Bench:
    """An enricher with its access log and its catalogue, which knows what a test puts into it."""

    settings: MilvusSettings = field(default_factory=MilvusSettings)
    clock: Clock = field(default_factory=Clock)
    waiting: Any = field(default_factory=set)

    def __post_init__(self) -> None:
        self.telemetry = Telemetry()
        self.enrichment = Enrichment(
            self.settings,
            self.telemetry,
            clock=self.clock,
            random=Random(1),
            store_kind=stores.kind(),
            is_waiting=lambda trace_id: trace_id in self.waiting,
        )

    def know(self, *collections: Collection) -> None:
        for collection in collections:
            self.enrichment.catalogue.put(collection)

    def log(self, *lines: str) -> None:
        assert self.enrichment.access_log is not None
        self.enrichment.access_log.ingest(logs(*lines))

    def arrived(self, *traces: Trace) -> None:
        """Let enrichment see these traces come in, each as a request of its own."""
        for trace in traces:
            message = ExportTraceServiceRequest()
            spans = message.resource_spans.add().scope_spans.add().spans
            for raw in trace.spans:
                spans.add().MergeFromString(raw)
            self.enrichment.on_request(message.SerializeToString())

    def enrich(self, trace: Trace) -> Encoded | None:
        return self.enrichment.enricher.enrich(trace)


def decoded(trace: Trace) -> dict[str, Span]:
    """The spans by name, decoded by the OpenTelemetry project's own classes."""
    return {one.name: one for one in map(Span.FromString, trace.spans)}


def attributes(one: Span) -> dict[str, Any]:
    """A span's attributes; one that comes twice fails the test."""
    assert max(Counter(pair.key for pair in one.attributes).values(), default=1) == 1
    return {pair.key: _value(pair.value) for pair in one.attributes}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    return getattr(value, kind)
