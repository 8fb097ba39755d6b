"""What single spans say: their trace, whether they are a root, whether they are well formed."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

from milvus_otel_processor.spans.schema import CheckedSpanView, DecodeError, HeadView

if TYPE_CHECKING:
    from collections.abc import Iterable

NO_PARENT = (b"", bytes(8))
"""What the parent of a root span is: nothing, or zeros, which the Collector reads as nothing."""

_TRACE_ID_FIRST = b"\x0a\x10"
"""How nearly every span begins: field 1, 16 bytes."""
_TRACE_ID_SIZE = 16
_NO_TRACE_ID = bytes(_TRACE_ID_SIZE)
"""The one trace id of 16 bytes that is not valid (the comment on Span.trace_id in OTLP's trace.proto)."""
_KEY_HASH_SIZE = 8
_TRACE_ID_SIZES, _SPAN_ID_SIZES = (0, _TRACE_ID_SIZE), (0, 8)  # an id may be missing


def trace_id_and_root_name(span: bytes) -> tuple[bytes, bytes | None]:
    """Return a span's trace id, and its name if it has no parent, else None.

    A span that is seen to be malformed counts to the trace whose id it begins with, so that it can be told what it was lost with;
    where it does not, its trace id is empty.
    """
    try:
        head = HeadView.FromString(span)
    except DecodeError:
        begins_with_id = span.startswith(_TRACE_ID_FIRST)
        return span[len(_TRACE_ID_FIRST) :][:_TRACE_ID_SIZE] if begins_with_id else b"", None
    return head.trace_id, head.name if is_root(head.parent_span_id) else None


def is_trace_id(trace_id: bytes) -> bool:
    """Tell whether these bytes are a valid trace id."""
    return len(trace_id) == _TRACE_ID_SIZE and trace_id != _NO_TRACE_ID


def is_root(parent_span_id: bytes) -> bool:
    """Tell whether a span with this parent is its trace's root: no parent, or one of zeros, as the Collector reads it."""
    return parent_span_id in NO_PARENT


def well_formed(span: bytes) -> bool:
    """Tell whether the span is valid protobuf down to the last attribute, and its ids have their lengths.

    The Collector's pdata, and with it Jaeger, refuses a whole request for one span that has not; where an id stands twice it looks
    at both.
    """
    try:
        whole = CheckedSpanView.FromString(span)
    except DecodeError:
        return False
    if not _have_sizes(whole.trace_id, _TRACE_ID_SIZES):
        return False
    if not (_have_sizes(whole.span_id, _SPAN_ID_SIZES) and _have_sizes(whole.parent_span_id, _SPAN_ID_SIZES)):
        return False
    return all(
        _have_sizes(link.trace_id, _TRACE_ID_SIZES) and _have_sizes(link.span_id, _SPAN_ID_SIZES)
        for link in whole.links
    )


def _have_sizes(ids: Iterable[bytes], sizes: tuple[int, int]) -> bool:
    return all(len(one) in sizes for one in ids)


def span_key(span: bytes) -> bytes | None:
    """Return 24 bytes that tell a span from others, whatever attributes it is given meanwhile; None where it is malformed.

    The trace id, and a hash of what the span's own id, name, kind and times are: some instrumentations give the client's and
    the server's span of one call one id.
    """
    try:
        head = HeadView.FromString(span)
    except DecodeError:
        return None
    if not is_trace_id(head.trace_id):
        return None
    times = b"%d %d %d " % (head.kind, head.start_time_unix_nano, head.end_time_unix_nano)
    rest = blake2b(head.span_id + times + head.name, digest_size=_KEY_HASH_SIZE)
    return bytes(head.trace_id) + rest.digest()
