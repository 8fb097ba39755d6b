"""Views of the OTLP protobuf messages that decode only what this processor reads.

A view declares the fields that we look at, by their numbers in opentelemetry-proto; protobuf keeps the others as unknown
fields and writes them back as they came. Two choices make it cheap and safe:

* in an envelope a span is `bytes`, so a request is cut up without a look into its spans;
* text is `bytes`, because protobuf refuses a `string` that is not UTF-8, and the Collector does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol, Self

    class _Message(Protocol):
        @classmethod
        def FromString(cls, data: bytes) -> Self: ...  # noqa: N802 - protobuf's own name
        def MergeFromString(self, data: bytes) -> int: ...  # noqa: N802
        def SerializeToString(self) -> bytes: ...  # noqa: N802
        def WhichOneof(self, name: str) -> str | None: ...  # noqa: N802

    class ScopeSpans(_Message, Protocol):
        spans: list[bytes]

    class ResourceSpans(_Message, Protocol):
        scope_spans: list[ScopeSpans]

    class Request(_Message, Protocol):
        resource_spans: list[ResourceSpans]

    class AnyValue(_Message, Protocol):
        string_value: bytes
        bool_value: bool
        int_value: int
        double_value: float
        array_value: ArrayValue
        kvlist_value: KeyValueList
        bytes_value: bytes

    class ArrayValue(_Message, Protocol):
        values: Sequence[AnyValue]

    class KeyValue(_Message, Protocol):
        key: bytes
        value: AnyValue

    class KeyValueList(_Message, Protocol):
        values: Sequence[KeyValue]

    class Attributes(_Message, Protocol):
        attributes: Sequence[KeyValue]

    class Resource(_Message, Protocol):
        resource: Attributes

    class Scope(_Message, Protocol):
        scope: Attributes

    class Status(_Message, Protocol):
        message: bytes
        code: int

    class Head(_Message, Protocol):
        trace_id: bytes
        span_id: bytes
        parent_span_id: bytes
        name: bytes
        kind: int
        start_time_unix_nano: int
        end_time_unix_nano: int
        trace_state: bytes
        flags: int
        status: Status

    class Event(_Message, Protocol):
        time_unix_nano: int
        name: bytes
        attributes: Sequence[KeyValue]
        dropped_attributes_count: int

    class Events(_Message, Protocol):
        events: Sequence[Event]

    class Link(_Message, Protocol):
        trace_id: bytes
        span_id: bytes

    class Span(Head, Attributes, Protocol):
        dropped_attributes_count: int
        events: Sequence[Event]
        dropped_events_count: int
        links: Sequence[Link]
        dropped_links_count: int

    class LinkIds(_Message, Protocol):
        trace_id: Sequence[bytes]
        span_id: Sequence[bytes]

    class CheckedSpan(_Message, Protocol):
        trace_id: Sequence[bytes]
        span_id: Sequence[bytes]
        parent_span_id: Sequence[bytes]
        links: Sequence[LinkIds]

    class ScopeBody(Attributes, Protocol):
        name: bytes
        version: bytes
        dropped_attributes_count: int

    class ScopeHeader(_Message, Protocol):
        scope: ScopeBody
        schema_url: bytes

    class ResourceAttributes(Attributes, Protocol):
        dropped_attributes_count: int

    class ResourceHeader(_Message, Protocol):
        resource: ResourceAttributes
        schema_url: bytes

    class PartialSuccess(_Message, Protocol):
        rejected_spans: int
        error_message: bytes

    class Response(_Message, Protocol):
        partial_success: PartialSuccess

    class LogBody(_Message, Protocol):
        body: AnyValue

    class LogRecord(LogBody, Attributes, Protocol):
        trace_id: Sequence[bytes]
        span_id: Sequence[bytes]

    class ScopeLogs(_Message, Protocol):
        log_records: Sequence[LogBody]

    class ResourceLogs(_Message, Protocol):
        scope_logs: Sequence[ScopeLogs]

    class LogsRequest(_Message, Protocol):
        resource_logs: Sequence[ResourceLogs]


_PACKAGE = "milvus_otel_processor"
_Field = descriptor_pb2.FieldDescriptorProto
_MESSAGE, _BYTES = _Field.TYPE_MESSAGE, _Field.TYPE_BYTES
_TYPES = {
    "bytes": _BYTES,
    "bool": _Field.TYPE_BOOL,
    "double": _Field.TYPE_DOUBLE,
    "fixed32": _Field.TYPE_FIXED32,
    "fixed64": _Field.TYPE_FIXED64,
    "int32": _Field.TYPE_INT32,
    "int64": _Field.TYPE_INT64,
    "uint32": _Field.TYPE_UINT32,
}

# message: field name, number, type (a name above, or another message), "*" for repeated, "|" for a member of the oneof.
_VIEWS: dict[str, list[tuple[str, int, str]]] = {
    "Request": [("resource_spans", 1, "ResourceSpans*")],
    "ResourceSpans": [("scope_spans", 2, "ScopeSpans*")],
    "ScopeSpans": [("spans", 2, "bytes*")],
    "Resource": [("resource", 1, "Attributes1")],
    "Scope": [("scope", 1, "Attributes3")],
    "Attributes1": [("attributes", 1, "KeyValue*"), ("entity_refs", 3, "EntityRef*")],
    "Attributes3": [("attributes", 3, "KeyValue*")],
    "Attributes9": [("attributes", 9, "KeyValue*")],
    "EntityRef": [("schema_url", 1, "bytes"), ("type", 2, "bytes")],
    "KeyValue": [("key", 1, "bytes"), ("value", 2, "AnyValue")],
    "KeyValueList": [("values", 1, "KeyValue*")],
    "ArrayValue": [("values", 1, "AnyValue*")],
    "AnyValue": [
        ("string_value", 1, "bytes|"),
        ("bool_value", 2, "bool|"),
        ("int_value", 3, "int64|"),
        ("double_value", 4, "double|"),
        ("array_value", 5, "ArrayValue|"),
        ("kvlist_value", 6, "KeyValueList|"),
        ("bytes_value", 7, "bytes|"),
    ],
    "Status": [("message", 2, "bytes"), ("code", 3, "int32")],
    "Head": [
        ("trace_id", 1, "bytes"),
        ("span_id", 2, "bytes"),
        ("trace_state", 3, "bytes"),
        ("parent_span_id", 4, "bytes"),
        ("name", 5, "bytes"),
        ("kind", 6, "int32"),
        ("start_time_unix_nano", 7, "fixed64"),
        ("end_time_unix_nano", 8, "fixed64"),
        ("status", 15, "Status"),
        ("flags", 16, "fixed32"),
    ],
    "Event": [
        ("time_unix_nano", 1, "fixed64"),
        ("name", 2, "bytes"),
        ("attributes", 3, "KeyValue*"),
        ("dropped_attributes_count", 4, "uint32"),
    ],
    "Events": [("events", 11, "Event*")],
    "Link": [
        ("trace_id", 1, "bytes"),
        ("span_id", 2, "bytes"),
        ("trace_state", 3, "bytes"),
        ("attributes", 4, "KeyValue*"),
        ("flags", 6, "fixed32"),
    ],
    "Span": [
        ("trace_id", 1, "bytes"),
        ("span_id", 2, "bytes"),
        ("trace_state", 3, "bytes"),
        ("parent_span_id", 4, "bytes"),
        ("name", 5, "bytes"),
        ("kind", 6, "int32"),
        ("start_time_unix_nano", 7, "fixed64"),
        ("end_time_unix_nano", 8, "fixed64"),
        ("attributes", 9, "KeyValue*"),
        ("dropped_attributes_count", 10, "uint32"),
        ("events", 11, "Event*"),
        ("dropped_events_count", 12, "uint32"),
        ("links", 13, "Link*"),
        ("dropped_links_count", 14, "uint32"),
        ("status", 15, "Status"),
        ("flags", 16, "fixed32"),
    ],
    "LinkIds": [("trace_id", 1, "bytes*"), ("span_id", 2, "bytes*"), ("attributes", 4, "KeyValue*")],
    "CheckedSpan": [
        ("trace_id", 1, "bytes*"),
        ("span_id", 2, "bytes*"),
        ("parent_span_id", 4, "bytes*"),
        ("attributes", 9, "KeyValue*"),
        ("events", 11, "Event*"),
        ("links", 13, "LinkIds*"),
        ("status", 15, "Status"),
    ],
    "ResourceAttributes": [("attributes", 1, "KeyValue*"), ("dropped_attributes_count", 2, "uint32")],
    "ResourceHeader": [("resource", 1, "ResourceAttributes"), ("schema_url", 3, "bytes")],
    "ScopeBody": [
        ("name", 1, "bytes"),
        ("version", 2, "bytes"),
        ("attributes", 3, "KeyValue*"),
        ("dropped_attributes_count", 4, "uint32"),
    ],
    "ScopeHeader": [("scope", 1, "ScopeBody"), ("schema_url", 3, "bytes")],
    "PartialSuccess": [("rejected_spans", 1, "int64"), ("error_message", 2, "bytes")],
    "Response": [("partial_success", 1, "PartialSuccess")],
    "LogBody": [("body", 5, "AnyValue")],
    "LogRecord": [
        ("time_unix_nano", 1, "fixed64"),
        ("severity_number", 2, "int32"),
        ("severity_text", 3, "bytes"),
        ("body", 5, "AnyValue"),
        ("attributes", 6, "KeyValue*"),
        ("dropped_attributes_count", 7, "uint32"),
        ("flags", 8, "fixed32"),
        ("trace_id", 9, "bytes*"),
        ("span_id", 10, "bytes*"),
        ("observed_time_unix_nano", 11, "fixed64"),
        ("event_name", 12, "bytes"),
    ],
    "ScopeLogs": [("log_records", 2, "LogBody*")],
    "ResourceLogs": [("scope_logs", 2, "ScopeLogs*")],
    "LogsRequest": [("resource_logs", 1, "ResourceLogs*")],
}


def _declare() -> descriptor_pool.DescriptorPool:
    file = descriptor_pb2.FileDescriptorProto(name=f"{_PACKAGE}/otlp.proto", package=_PACKAGE, syntax="proto3")
    for view, fields in _VIEWS.items():
        message = file.message_type.add(name=view)
        if any(kind.endswith("|") for _, _, kind in fields):
            message.oneof_decl.add(name="value")
        for name, number, kind in fields:
            base = kind.rstrip("*|")
            field = message.field.add(name=name, number=number, type=_TYPES.get(base, _MESSAGE))
            field.label = _Field.LABEL_REPEATED if kind.endswith("*") else _Field.LABEL_OPTIONAL
            if base not in _TYPES:
                field.type_name = f".{_PACKAGE}.{base}"
            if kind.endswith("|"):
                field.oneof_index = 0
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool


_POOL = _declare()


def _view(name: str) -> Any:
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"{_PACKAGE}.{name}"))


RequestView = cast("type[Request]", _view("Request"))
"""An ExportTraceServiceRequest whose spans are bytes."""
ResourceSpansView = cast("type[ResourceSpans]", _view("ResourceSpans"))
"""A ResourceSpans: only its scope spans are looked at; the resource and the schema URL are kept as they came."""
ScopeSpansView = cast("type[ScopeSpans]", _view("ScopeSpans"))
"""A ScopeSpans: only its spans are looked at, as bytes."""
ResourceView = cast("type[Resource]", _view("Resource"))
"""A ResourceSpans of which only the resource is looked at, decoded to the bottom."""
ScopeView = cast("type[Scope]", _view("Scope"))
"""A ScopeSpans of which only the scope's attributes are looked at."""
HeadView = cast("type[Head]", _view("Head"))
"""What a Span says of itself without its attributes, events and links: ids, name, kind, times, status, trace state, flags."""
AttributesView = cast("type[Attributes]", _view("Attributes9"))
"""A Span of which only the attributes are looked at."""
SpanView = cast("type[Span]", _view("Span"))
"""A whole Span."""
CheckedSpanView = cast("type[CheckedSpan]", _view("CheckedSpan"))
"""A Span decoded to the bottom, with each of its ids as often as it stands there: what proves that it is well formed."""
EventsView = cast("type[Events]", _view("Events"))
"""A Span of which only the events are looked at."""
ResourceHeaderView = cast("type[ResourceHeader]", _view("ResourceHeader"))
"""A ResourceSpans without its spans, all of it."""
ScopeHeaderView = cast("type[ScopeHeader]", _view("ScopeHeader"))
"""A ScopeSpans without its spans, all of it."""
AnyValueView = cast("type[AnyValue]", _view("AnyValue"))
"""The value of an attribute."""
ResponseView = cast("type[Response]", _view("Response"))
"""An ExportTraceServiceResponse."""
LogRecordView = cast("type[LogRecord]", _view("LogRecord"))
"""A whole LogRecord, with each of its ids as often as it stands there: what proves that it is well formed."""
LogsRequestView = cast("type[LogsRequest]", _view("LogsRequest"))
"""An ExportLogsServiceRequest of which only the bodies of the records are looked at."""


def attributes_of(span: bytes) -> dict[bytes, AnyValue]:
    """Return the attributes of a serialized span by key; of a key that comes twice the first counts, as in the Collector."""
    found: dict[bytes, AnyValue] = {}
    for pair in AttributesView.FromString(span).attributes:
        found.setdefault(pair.key, pair.value)
    return found


def events_of(span: bytes) -> Sequence[Event]:
    """Return the events of a serialized span."""
    return EventsView.FromString(span).events


__all__ = [
    "AnyValueView",
    "AttributesView",
    "CheckedSpanView",
    "DecodeError",
    "EventsView",
    "HeadView",
    "LogRecordView",
    "LogsRequestView",
    "RequestView",
    "ResourceHeaderView",
    "ResourceSpansView",
    "ResourceView",
    "ResponseView",
    "ScopeHeaderView",
    "ScopeSpansView",
    "ScopeView",
    "SpanView",
    "attributes_of",
    "events_of",
]
