"""Recordings for tests, written as the Collector's file exporter writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

if TYPE_CHECKING:
    from pathlib import Path

START = 1_700_000_000_000_000_000
SECOND = 1_000_000_000


def span(trace: int, *, end: float = 0.0, name: str = "a", error: bool = False, parent: int = 0, own: int = 1) -> Span:
    """Return a span of one millisecond that ends `end` seconds after the recording's start."""
    return Span(
        trace_id=trace.to_bytes(16, "big"),
        span_id=own.to_bytes(8, "big"),
        parent_span_id=parent.to_bytes(8, "big") if parent else b"",
        name=name,
        start_time_unix_nano=START + int(end * SECOND) - 1_000_000,
        end_time_unix_nano=START + int(end * SECOND),
        status=Status(code=Status.STATUS_CODE_ERROR) if error else Status(),
    )


def request(*spans: Span, service: str = "app") -> bytes:
    """Return a serialized ExportTraceServiceRequest of one resource and one scope."""
    resource = Resource(attributes=[KeyValue(key="service.name", value=AnyValue(string_value=service))])
    scope_spans = ScopeSpans(scope=InstrumentationScope(name="scope"), spans=spans)
    message = ExportTraceServiceRequest(resource_spans=[ResourceSpans(resource=resource, scope_spans=[scope_spans])])
    return message.SerializeToString()


def sized(*messages: bytes) -> bytes:
    """Return the messages as `format: proto` has them."""
    return b"".join(len(message).to_bytes(4, "big") + message for message in messages)


def unsized(content: bytes) -> list[ExportTraceServiceRequest]:
    """Return the requests in what `format: proto` has written."""
    found = []
    while content:
        size = int.from_bytes(content[:4], "big")
        found.append(ExportTraceServiceRequest.FromString(content[4 : 4 + size]))
        content = content[4 + size :]
    return found


def spans_in(file: Path) -> list[Span]:
    """Return the spans that a file of `format: proto` holds."""
    return [
        span
        for message in unsized(file.read_bytes())
        for resource_spans in message.resource_spans
        for scope_spans in resource_spans.scope_spans
        for span in scope_spans.spans
    ]
