"""The trace context as Milvus takes it, in the metadata of an rpc."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from opentelemetry import baggage, propagate

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.propagators.textmap import TextMapPropagator
    from opentelemetry.trace import SpanContext

_SAMPLED = 0x01
_KEY = re.compile(r"[0-9a-z_.-]+")
"""What gRPC takes for the key of a metadata entry; any other would fail the application's call."""
_TRACE_CONTEXT = ("traceparent", "tracestate")
REQUEST_ID = "client_request_id"
"""The key whose text Milvus 2.3 to 3.0 write into the access log in the place of the trace id."""
_REQUEST_IDS = (REQUEST_ID, "client-request-id")
"""The keys that an application's request id may have; pymilvus from 2.6.7 on sends the second one, empty, with each rpc."""
_OURS = frozenset({*_TRACE_CONTEXT, *_REQUEST_IDS})

Metadata = list[tuple[str, Any]]


def inject(span_context: SpanContext, context: Context, metadata: Any) -> Metadata:
    """Return the metadata with what the application's propagators add, and with a ``traceparent`` that Milvus accepts.

    Milvus up to 2.6 is built with an opentelemetry-go that rejects trace flags above 2 and then starts a trace of its
    own, while opentelemetry-sdk sets the flag ``random`` (W3C Trace Context level 2) beside ``sampled``: of the flags
    only ``sampled`` is sent. It is sent whatever propagators the application has chosen, since Milvus reads no other.
    An entry that the application itself gave for a key is kept, apart from the trace context.

    The trace id also goes out as the request id, unless the application has given one. Milvus from 2.5.10 to 2.6 writes
    the empty id that pymilvus sends into the access log's ``$trace_id``; with this one the line has the right id on every
    version. Without a ``traceparent`` it is not sent: Milvus 3.0 makes no span for such a request.
    """
    trace_id, span_id, _, trace_flags, trace_state, is_valid = span_context
    entries: Metadata = []
    has_request_id = False
    for entry in metadata or ():
        if (key := entry[0]) not in _OURS:
            entries.append(entry)
        elif key in _REQUEST_IDS and (entry[1] or not is_valid):
            entries.append(entry)
            has_request_id = True
    # a context with one thing in it, the span, has no baggage
    has_baggage = (len(context) > is_valid) and baggage.get_all(context)
    if has_baggage or _has_more_than_trace_context(propagate.get_global_textmap()):
        _add_carrier(entries, context)
    if is_valid:
        trace = f"{trace_id:032x}"
        if not has_request_id:
            entries.append((REQUEST_ID, trace))
        entries.append(("traceparent", f"00-{trace}-{span_id:016x}-{trace_flags & _SAMPLED:02x}"))
        if trace_state:
            entries.append(("tracestate", trace_state.to_header()))
    return entries


@lru_cache(maxsize=4)
def _has_more_than_trace_context(propagator: TextMapPropagator) -> bool:
    """Tell whether it can add more than the W3C headers, which are none where there is neither a trace nor baggage."""
    return not propagator.fields <= {*_TRACE_CONTEXT, "baggage"}


def _add_carrier(entries: Metadata, context: Context) -> None:
    """Add what the application's propagators have to say, as far as gRPC takes it."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier, context)
    given = {entry[0] for entry in entries}
    for name, value in carrier.items():
        key = name.lower()
        if key not in _TRACE_CONTEXT and key not in given and _KEY.fullmatch(key) and _is_sendable(value):
            entries.append((key, value))


def _is_sendable(value: object) -> bool:
    return isinstance(value, str) and value.isascii() and value.isprintable()
