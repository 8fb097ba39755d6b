"""Attributes as bytes: encoded to be appended to a span, and found in one."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from milvus_otel_processor.spans.schema import AttributesView

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milvus_otel_processor.spans.schema import AnyValue

Value = str | bool | int | float
"""What an attribute that we write can hold; a list of them makes an array."""

_SPAN_STATUS_TAG = b"\x7a"  # field 15, length-delimited
_MESSAGE_TAG, _ERROR_CODE = b"\x12", b"\x18\x02"  # Status: field 2, text; field 3, 2 is ERROR
_SPAN_ATTRIBUTES_TAG = b"\x4a"  # field 9, length-delimited
_TRACE_STATE_TAG = b"\x1a"  # field 3, length-delimited
_KEY_TAG, _VALUE_TAG, _STRING_TAG, _ARRAY_TAG = b"\x0a", b"\x12", b"\x0a", b"\x2a"
_BOOL_TAG, _INT_TAG, _DOUBLE_TAG = b"\x10", b"\x18", b"\x21"


def span_attribute(key: str, value: Value | Sequence[Value]) -> bytes:
    """Serialize `Span.attributes: [{key, value}]`: bytes that, put behind a serialized span, add the attribute to it.

    Protobuf messages concatenate: a repeated field that comes again goes on where it stopped.
    """
    pair = _delimited(_KEY_TAG, key.encode()) + _delimited(_VALUE_TAG, _any_value(value))
    return _delimited(_SPAN_ATTRIBUTES_TAG, pair)


def trace_state_field(trace_state: bytes) -> bytes:
    """Serialize `Span.trace_state`: bytes that, put behind a serialized span, replace what it has.

    Of a field that is not repeated the last one counts, in every protobuf decoder
    (https://protobuf.dev/programming-guides/encoding/#last-one-wins).
    """
    return _delimited(_TRACE_STATE_TAG, trace_state)


def error_status(message: str) -> bytes:
    """Serialize `Span.status: {code: ERROR, message}`: bytes that, put behind a serialized span, make it an error."""
    text = _delimited(_MESSAGE_TAG, message.encode("utf-8", "replace")) if message else b""
    return _delimited(_SPAN_STATUS_TAG, _ERROR_CODE + text)


def _any_value(value: Value | Sequence[Value]) -> bytes:
    if isinstance(value, bool):
        return _BOOL_TAG + (b"\x01" if value else b"\x00")
    if isinstance(value, int):
        return _INT_TAG + _varint(value & 0xFFFF_FFFF_FFFF_FFFF)
    if isinstance(value, float):
        return _DOUBLE_TAG + struct.pack("<d", value)
    if isinstance(value, str):
        return _delimited(_STRING_TAG, value.encode("utf-8", "replace"))
    return _delimited(_ARRAY_TAG, b"".join(_delimited(_KEY_TAG, _any_value(item)) for item in value))


def _delimited(tag: bytes, payload: bytes) -> bytes:
    return tag + _varint(len(payload)) + payload


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def find(span: bytes, key: bytes) -> AnyValue | None:
    """Return the value of the span's attribute with this key, the first if there are several, or None.

    Raises DecodeError where the span is not valid protobuf. A span that does not hold the key's bytes is not decoded.
    """
    if key not in span:
        return None
    for pair in AttributesView.FromString(span).attributes:
        if pair.key == key:
            return pair.value
    return None


def text(span: bytes, key: bytes) -> str | None:
    """Return the span's attribute with this key if it is a non-empty string, or None."""
    value = find(span, key)
    return value.string_value.decode("utf-8", "replace") or None if value is not None else None
