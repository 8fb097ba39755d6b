"""Attributes as bytes: encoded to be appended to a span, and found in one."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from milvus_otel_processor.spans.schema import AttributesView

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

Value = str | bool | int | float
"""What an attribute that we write can hold; a list of them makes an array."""

_SPAN_STATUS_TAG = b"\x7a"  # field 15, length-delimited
_MESSAGE_TAG, _ERROR_CODE = b"\x12", b"\x18\x02"  # Status: field 2, text; field 3, 2 is ERROR
_SPAN_ATTRIBUTES_TAG = b"\x4a"  # field 9, length-delimited
_TRACE_STATE_TAG = b"\x1a"  # field 3, length-delimited
_KEY_TAG, _VALUE_TAG, _STRING_TAG, _ARRAY_TAG = b"\x0a", b"\x12", b"\x0a", b"\x2a"
_BOOL_TAG, _INT_TAG, _DOUBLE_TAG = b"\x10", b"\x18", b"\x21"
_SHORT = tuple(bytes((number,)) for number in range(0x80))


def span_attribute(key: str, value: Value | Sequence[Value]) -> bytes:
    """Serialize `Span.attributes: [{key, value}]`: bytes that, put behind a serialized span, add the attribute to it.

    Protobuf messages concatenate: a repeated field that comes again goes on where it stopped.
    """
    pair = _delimited(_KEY_TAG, key.encode()) + _delimited(_VALUE_TAG, _any_value(value))
    return _delimited(_SPAN_ATTRIBUTES_TAG, pair)


def int_value(value: int) -> bytes:
    """Serialize an AnyValue that is this whole number, as `Trace.values_behind` returns it."""
    return _any_value(value)


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
    if number <= 0x7F:  # nearly always
        return _SHORT[number]
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


class Encoded:
    """Attributes that are to be added to spans: each as its key, and as the bytes that add it."""

    def __init__(self, values: Iterable[tuple[str, Value | Sequence[Value] | None]]) -> None:
        self.attributes = [(key.encode(), span_attribute(key, value)) for key, value in values if value is not None]
        self.all = b"".join(attribute for _, attribute in self.attributes)
        self._keys = frozenset(key for key, _ in self.attributes)

    def missing(self, span: bytes) -> bytes:
        """Return the attributes that a serialized span does not have yet: what has one is not overwritten.

        A span that does not hold the bytes of a key is not decoded. Raises DecodeError where one has to be and cannot.
        """
        if not self.may_be_in(span):
            return self.all
        return self.without({pair.key for pair in AttributesView.FromString(span).attributes})

    def may_be_in(self, span: bytes) -> bool:
        """Tell whether a serialized span holds the bytes of one of the keys: False is a sure no."""
        return any(key in span for key in self._keys)

    def without(self, keys: Collection[bytes]) -> bytes:
        """Return the attributes less those with one of these keys."""
        if self._keys.isdisjoint(keys):
            return self.all
        return b"".join(attribute for key, attribute in self.attributes if key not in keys)
