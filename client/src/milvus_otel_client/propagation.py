"""The trace context as Milvus takes it, in the metadata of an rpc."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from opentelemetry import propagate

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import SpanContext

_SAMPLED = 0x01
_KEY = re.compile(r"[0-9a-z_.-]+")
"""What gRPC takes for the key of a metadata entry; any other would fail the application's call."""
_TRACE_CONTEXT = ("traceparent", "tracestate")

Metadata = list[tuple[str, Any]]


def inject(span_context: SpanContext, context: Context, metadata: Any) -> Metadata:
    """Return the metadata with what the application's propagators add, and with a ``traceparent`` that Milvus accepts.

    Milvus up to 2.6 is built with an opentelemetry-go that rejects trace flags above 2 and then starts a trace of its
    own, while opentelemetry-sdk sets the flag ``random`` (W3C Trace Context level 2) beside ``sampled``: of the flags
    only ``sampled`` is sent. It is sent whatever propagators the application has chosen, since Milvus reads no other.
    An entry that the application itself gave for a key is kept, apart from the trace context.
    """
    entries: Metadata = [entry for entry in metadata or () if entry[0] not in _TRACE_CONTEXT]
    carrier: dict[str, str] = {}
    propagate.inject(carrier, context)
    given = {entry[0] for entry in entries}
    for name, value in carrier.items():
        key = name.lower()
        if key not in _TRACE_CONTEXT and key not in given and _KEY.fullmatch(key) and _is_sendable(value):
            entries.append((key, value))
    if span_context.is_valid:
        flags = span_context.trace_flags & _SAMPLED
        entries.append(("traceparent", f"00-{span_context.trace_id:032x}-{span_context.span_id:016x}-{flags:02x}"))
        if span_context.trace_state:
            entries.append(("tracestate", span_context.trace_state.to_header()))
    return entries


def _is_sendable(value: object) -> bool:
    return isinstance(value, str) and value.isascii() and value.isprintable()
