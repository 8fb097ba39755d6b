"""Builders of spans, requests and traces, with OpenTelemetry's own message classes."""

from collections.abc import Mapping, Sequence

from milvus_otel_processor.spans.contract import ASK, StoreSettings, Trace
from milvus_otel_processor.spans.groups import Group, GroupRegistry
from milvus_otel_processor.spans.stores import make_store
from milvus_otel_processor.spans.trace import ReferenceTrace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from tests.support import stores

Attributes = Mapping[str, object]
NANOSECONDS_PER_MS = 1_000_000
ROOT = 0
"""The parent of a span that has none."""


def trace_id(number: int) -> bytes:
    return number.to_bytes(16, "big")


def span_id(number: int) -> bytes:
    return number.to_bytes(8, "big") if number else b""


def span(  # as many as a span has fields
    trace: int = 1,
    number: int = 1,
    parent: int = ROOT,
    *,
    name: str = "request",
    start_ms: float = 0,
    end_ms: float = 1,
    status: int = Status.STATUS_CODE_UNSET,
    attributes: Attributes | None = None,
    kind: int = Span.SPAN_KIND_SERVER,
) -> Span:
    """A span whose ids are given as numbers; times in milliseconds."""
    return Span(
        trace_id=trace_id(trace),
        span_id=span_id(number),
        parent_span_id=span_id(parent),
        name=name,
        kind=kind,  # type: ignore[arg-type] # likewise
        start_time_unix_nano=round(start_ms * NANOSECONDS_PER_MS),
        end_time_unix_nano=round(end_ms * NANOSECONDS_PER_MS),
        status=Status(code=status),  # type: ignore[arg-type] # a number of the enumeration
        attributes=pairs(attributes or {}),
    )


def request(*spans: Span, resource: Attributes | None = None, scope: str = "app") -> ExportTraceServiceRequest:
    """A request with one resource and one scope."""
    return ExportTraceServiceRequest(
        resource_spans=[
            ResourceSpans(
                resource=Resource(attributes=pairs({"service.name": "shop"} if resource is None else resource)),
                scope_spans=[ScopeSpans(scope=InstrumentationScope(name=scope), spans=spans)],
            )
        ]
    )


def encoded(*spans: Span, resource: Attributes | None = None, scope: str = "app") -> bytes:
    """A serialized request with one resource and one scope."""
    return request(*spans, resource=resource, scope=scope).SerializeToString()


def trace_from(*requests: bytes) -> Trace:
    """The trace that these serialized requests hold, as the store would hand it over."""
    if stores.kind() == "native" and (found := _native_trace(requests)) is not None:
        return found
    groups: list[Group] = []
    spans: list[bytes] = []
    registry = GroupRegistry()
    for one in requests:
        for group, of_group in registry.split(one):
            groups += [group] * len(of_group)
            spans += of_group
    return ReferenceTrace(trace_id(1), groups, spans)


def _native_trace(requests: Sequence[bytes]) -> Trace | None:
    """The same from the native store; None where the spans are not of one trace, which only the reference can be told."""
    store = make_store("native", StoreSettings(0.0), lambda _: ASK)
    arrived = [store.ingest(one, 0.0) for one in requests]
    taken = store.take_oldest(2)
    return taken[0] if len(taken) == 1 and len(taken[0]) == sum(one.spans for one in arrived) else None


def with_id(trace: Trace, trace_id: bytes) -> Trace:
    """The trace under another id; its spans say nothing of that."""
    return ReferenceTrace(trace_id, list(trace.groups), list(trace.spans))


def with_more(trace: Trace, more: bytes) -> Trace:
    """The trace as it would be had its last span come with these bytes behind it."""
    return ReferenceTrace(trace.id, list(trace.groups), [*trace.spans[:-1], trace.spans[-1] + more])


def with_span(trace: Trace, more: Span) -> Trace:
    """The trace with one span more, of the group of its first."""
    spans = [*trace.spans, more.SerializeToString()]
    return ReferenceTrace(trace.id, [*trace.groups, trace.groups[0]], spans)


def together(*traces: Trace) -> Trace:
    """One trace of the spans of several, with the id of the first."""
    groups = [group for trace in traces for group in trace.groups]
    return ReferenceTrace(traces[0].id, groups, [span for trace in traces for span in trace.spans])


def trace_of(*spans: Span, resource: Attributes | None = None) -> Trace:
    """A trace of these spans, all of one resource."""
    return trace_from(encoded(*spans, resource=resource))


def attributes_of(serialized: bytes) -> dict[str, object]:
    """The attributes of a serialized span, as Python values; fails where a key is there twice."""
    found = [(pair.key, _python(pair.value)) for pair in Span.FromString(serialized).attributes]
    assert len(dict(found)) == len(found), f"a key is there twice: {found}"
    return dict(found)


def pairs(attributes: Attributes) -> list[KeyValue]:
    return [KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()]


def any_value(value: object) -> AnyValue:
    if isinstance(value, Mapping):
        return AnyValue(kvlist_value=KeyValueList(values=pairs(value)))
    if isinstance(value, list | tuple):
        return AnyValue(array_value=ArrayValue(values=[any_value(item) for item in value]))
    if value is None:
        return AnyValue()
    fields = {bool: "bool_value", int: "int_value", float: "double_value", str: "string_value", bytes: "bytes_value"}
    return AnyValue(**{fields[type(value)]: value})  # type: ignore[arg-type] # as the table says


def _python(value: AnyValue) -> object:
    kind = value.WhichOneof("value")
    match kind:
        case None:
            return None
        case "array_value":
            return [_python(item) for item in value.array_value.values]
        case "kvlist_value":
            return {pair.key: _python(pair.value) for pair in value.kvlist_value.values}
    return getattr(value, kind)
