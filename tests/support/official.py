"""OTLP requests as opentelemetry-proto itself decodes them.

But for texts: protobuf refuses those that are not UTF-8, the Collector does not.
"""

from functools import cache
from typing import Any, NamedTuple

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

_SERVICE = "opentelemetry.proto.collector.trace.v1"
_TRACE = "opentelemetry.proto.trace.v1"


class Row(NamedTuple):
    """A span and what is around it, each as protobuf writes it anew."""

    resource: bytes
    scope: bytes
    span: bytes


@cache
def _pool() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    _add(pool, trace_service_pb2.DESCRIPTOR, set())
    return pool


def _add(pool: descriptor_pool.DescriptorPool, file: FileDescriptor, added: set[str]) -> None:
    if file.name in added:
        return
    added.add(file.name)
    for needed in file.dependencies:
        _add(pool, needed, added)
    declared = descriptor_pb2.FileDescriptorProto()
    file.CopyToProto(declared)
    messages = list(declared.message_type)
    while messages:
        message = messages.pop()
        messages += message.nested_type
        for field in message.field:
            if field.type == field.TYPE_STRING:
                field.type = field.TYPE_BYTES
    pool.Add(declared)


@cache
def _message(name: str) -> Any:
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(name))


def rows(request: bytes) -> list[Row] | None:
    """The spans of a serialized ExportTraceServiceRequest in their order; None where it is not valid to the last attribute."""
    try:
        decoded = _message(f"{_SERVICE}.ExportTraceServiceRequest").FromString(request)
    except DecodeError:
        return None
    found = []
    for resource_spans in decoded.resource_spans:
        scopes = [(scope, list(scope.spans)) for scope in resource_spans.scope_spans]
        kept = [(_without(scope, "spans"), [_written(span) for span in spans]) for scope, spans in scopes]
        resource = _without(resource_spans, "scope_spans")
        found += [Row(resource, scope, span) for scope, spans in kept for span in spans]
    return found


def row(resource: bytes, scope: bytes, span: bytes) -> Row | None:
    """The same of a span by itself, with a ResourceSpans and a ScopeSpans around it; None where one of them is not valid."""
    names = (f"{_TRACE}.ResourceSpans", f"{_TRACE}.ScopeSpans", f"{_TRACE}.Span")
    try:
        return Row(
            *(
                _written(_message(name).FromString(data))
                for name, data in zip(names, (resource, scope, span), strict=True)
            )
        )
    except DecodeError:
        return None


def ids(span: bytes) -> tuple[bytes, bytes]:
    """The trace id and the span id of a valid span."""
    decoded = _message(f"{_TRACE}.Span").FromString(span)
    return decoded.trace_id, decoded.span_id


def _without(message: Message, field: str) -> bytes:
    message.ClearField(field)
    return _written(message)


def _written(message: Message) -> bytes:
    return message.SerializeToString(deterministic=True)
