"""What the bytes of a span say without decoding it, and what it takes to be sure."""

from __future__ import annotations

import re
from functools import lru_cache
from struct import Struct
from typing import TYPE_CHECKING

from milvus_otel_processor.spans.schema import DecodeError, HeadView

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

TRACE_ID_FIRST = b"\x0a\x10"
"""How nearly every span begins: field 1, 16 bytes. The trace id is then `span[2:18]`."""

SPAN_ID_SECOND = b"\x12\x08"
PARENT_THIRD = b"\x22\x08"
"""How a child goes on, mostly: fields 2 and 4, 8 bytes each."""
NO_TRACE_ID = bytes(16)
"""The one trace id of 16 bytes that is not valid (the comment on Span.trace_id in OTLP's trace.proto)."""
ZEROS = bytes(8)
NO_PARENT = (b"", ZEROS)
"""What the parent of a root span is: nothing, or zeros, which the Collector reads as nothing."""

_NAME = b"\x2a"
_LONG = 0x80  # a length from here on takes more than one byte
_parent = re.compile(PARENT_THIRD).search

_times = re.compile(rb"\x30[\x00-\x05]\x39(.{7}[\x10-\x1f]\x41.{7}[\x10-\x1f])", re.DOTALL).findall
"""Fields 6 to 8, kind, start and end, one behind the other as encoders write them, with times between 2006 and 2043."""
_EXTENTS_REMEMBERED = 256


def trace_id(span: bytes) -> bytes:
    """Return the trace id of a serialized span whatever the order of its fields.

    Raises DecodeError where the span is not valid protobuf.
    """
    return HeadView.FromString(span).trace_id


def surely_has_parent(span: bytes) -> bool:
    """Tell whether the bytes show a parent where encoders put it. False says nothing: decode the span to know."""
    return span[28:30] == PARENT_THIRD and span[18:20] == SPAN_ID_SECOND and span[30:38] != ZEROS


def is_root(parent_span_id: bytes) -> bool:
    """Tell whether a span with this parent is its trace's root: no parent, or one of zeros, as the Collector reads it."""
    return parent_span_id in NO_PARENT


def root_name(span: bytes) -> bytes | None:
    """Return the span's name if it has no parent, else None; None also where the span is seen not to be valid protobuf."""
    if span[18:20] == SPAN_ID_SECOND and span[28:29] == _NAME and len(span) > 30 and _parent(span, 30) is None:
        # As encoders write a root: the name comes where a child has its parent, and that does not come later.
        length = span[29]
        if length < _LONG:
            return span[30 : 30 + length]
    try:
        head = HeadView.FromString(span)
    except DecodeError:
        return None
    return head.name if is_root(head.parent_span_id) else None


def status_search(codes: Iterable[int]) -> Callable[[bytes], object]:
    """Return a function that looks in the bytes of spans for a status with one of these codes, which are above 0.

    What it returns is None where surely none is there; anything else says nothing. It looks for field 3 of a status in every form
    that protobuf allows: a number may be written longer than it has to be.
    """
    first_bytes = b"".join(re.escape(bytes((code, code | 0x80))) for code in codes)
    return re.compile(rb"\x18[" + first_bytes + rb"]").search


def extent(spans: bytes, count: int) -> int | None:
    """Return the nanoseconds from the earliest start to the latest end of this many spans, serialized one behind the other.

    None where their times do not stand where encoders put them: decode the spans to know.
    """
    found = _times(spans)
    if len(found) != count or not found:
        return None
    times = _unpacker(count)(b"".join(found))
    return int(max(times[1::2]) - min(times[::2]))


@lru_cache(maxsize=_EXTENTS_REMEMBERED)
def _unpacker(count: int) -> Callable[[bytes], tuple[int, ...]]:
    return Struct("<" + "QxQ" * count).unpack
