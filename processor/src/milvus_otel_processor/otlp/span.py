"""What the bytes of a span say without decoding it, and what it takes to be sure."""

from __future__ import annotations

from milvus_otel_processor.otlp.schema import DecodeError, HeadView

TRACE_ID_FIRST = b"\x0a\x10"
"""How nearly every span begins: field 1, 16 bytes. The trace id is then `span[2:18]`."""

SPAN_ID_SECOND = b"\x12\x08"
PARENT_THIRD = b"\x22\x08"
"""How a child goes on, mostly: fields 2 and 4, 8 bytes each."""
_ZEROS = bytes(8)
NO_PARENT = (b"", _ZEROS)
"""What the parent of a root span is: nothing, or zeros, which the Collector reads as nothing."""


def trace_id(span: bytes) -> bytes:
    """Return the trace id of a serialized span whatever the order of its fields.

    Raises DecodeError where the span is not valid protobuf.
    """
    return HeadView.FromString(span).trace_id


def is_valid_trace_id(found: bytes) -> bool:
    """Tell whether a trace id has 16 bytes that are not all zero (the comment on Span.trace_id in OTLP's trace.proto)."""
    return len(found) == 16 and found != bytes(16)


def surely_has_parent(span: bytes) -> bool:
    """Tell whether the bytes show a parent where encoders put it. False says nothing: decode the span to know."""
    return span[28:30] == PARENT_THIRD and span[18:20] == SPAN_ID_SECOND and span[30:38] != _ZEROS


def is_root(parent_span_id: bytes) -> bool:
    """Tell whether a span with this parent is its trace's root: no parent, or one of zeros, as the Collector reads it."""
    return parent_span_id in NO_PARENT


def root_name(span: bytes) -> bytes | None:
    """Return the span's name if it has no parent, else None; None also where the span is not valid protobuf."""
    if surely_has_parent(span):
        return None
    try:
        head = HeadView.FromString(span)
    except DecodeError:
        return None
    return head.name if is_root(head.parent_span_id) else None
