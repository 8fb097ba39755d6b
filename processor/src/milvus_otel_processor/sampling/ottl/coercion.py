"""What converters take for their arguments, and what they make of other types (the getters of pkg/ottl/expression.go, v0.158)."""

from __future__ import annotations

import base64
import json
import math
import re
import struct
from decimal import Decimal
from typing import TYPE_CHECKING

from milvus_otel_processor.sampling.ottl.errors import OttlError
from milvus_otel_processor.sampling.ottl.values import GREATEST_INT, LEAST_INT, Duration, Time, Value, type_name
from milvus_otel_processor.sampling.text import decoded

if TYPE_CHECKING:
    from collections.abc import Callable

    Coercion = Callable[[Value], Value]
    """Takes any value and returns one of the type that is wanted. Raises OttlError where that cannot be had."""

_INT = re.compile(rb"[+-]?\d+")
_DOUBLE = re.compile(rb"[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|inf(inity)?|nan)", re.IGNORECASE)
_UNDERSCORE = re.compile(rb"(?<!\d)_|_(?!\d)")
"""An underscore that is not between two digits."""
_TRUTHS = {
    **dict.fromkeys((b"1", b"t", b"T", b"TRUE", b"true", b"True"), True),
    **dict.fromkeys((b"0", b"f", b"F", b"FALSE", b"false", b"False"), False),
}
_LEAST_PLAIN, _GREATEST_PLAIN = 1e-6, 1e21  # doubles beyond are written with an exponent, as Go's goccy/go-json does


def any_value(value: Value) -> Value:
    """Return the value as it is."""
    return value


def _of(kind: type) -> Coercion:
    def coerce(value: Value) -> Value:
        if type(value) is not kind:
            raise OttlError(f"expected {type_name(kind())} but got {type_name(value)}")
        return value

    return coerce


string, integer, boolean, a_map, a_list = map(_of, (bytes, int, bool, dict, list))
time, duration = map(_of, (Time, Duration))


def string_like(value: Value) -> Value:
    """Return the value's text: bytes in hex, maps and lists as JSON; nil for nil."""
    kind = type(value)
    if value is None or kind is bytes:
        return value
    if kind is bytearray:
        return value.hex().encode()
    if kind in (bool, int, float, dict, list, Duration):
        return _json(value).encode()
    raise OttlError(f"cannot make a string of {type_name(value)}")


def _json(value: Value) -> str:
    if isinstance(value, float):
        return _json_double(value)
    if isinstance(value, bytes):
        text = json.dumps(decoded(value), ensure_ascii=False)
        for character in "<>&\u2028\u2029":  # Go's encoder escapes them for HTML's sake
            text = text.replace(character, f"\\u{ord(character):04x}")
        return text
    if isinstance(value, bytearray):
        return f'"{base64.b64encode(value).decode()}"'
    if isinstance(value, dict):
        return "{" + ",".join(f"{_json(key)}:{_json(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_json, value)) + "]"
    return json.dumps(value)


def _json_double(value: float) -> str:
    if not math.isfinite(value):
        raise OttlError(f"cannot make a string of {value}")
    if value and not _LEAST_PLAIN <= abs(value) < _GREATEST_PLAIN:
        return repr(value)
    return format(Decimal(repr(value)), "f").removesuffix(".0")


def int_like(value: Value) -> Value:
    """Return the value as an integer: a text of digits too, a double without its fraction; nil for nil and other texts."""
    if value is None or type(value) is int:
        return value
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, bytes):
        parsed = int(value) if _INT.fullmatch(value) else None
        return parsed if parsed is not None and LEAST_INT <= parsed <= GREATEST_INT else None
    if isinstance(value, float):
        # Beyond int64 Go's result is the hardware's; on amd64 it is the least integer.
        fits = math.isfinite(value) and LEAST_INT <= value < -LEAST_INT
        return int(value) if fits else LEAST_INT
    raise OttlError(f"cannot make an integer of {type_name(value)}")


def double_like(value: Value) -> float | None:
    """Return the value as a double; nil for nil."""
    if value is None:
        return None
    if isinstance(value, bytes):
        if b"_" in value and not _UNDERSCORE.search(value):  # Go takes them between digits
            value = value.replace(b"_", b"")
        if not _DOUBLE.fullmatch(value):
            raise OttlError(f"{value.decode('utf-8', 'replace')!r} is not a number")
        number = float(value)
        if math.isinf(number) and b"n" not in value.lower():
            raise OttlError(f"{value.decode()!r} is beyond what a double holds")
        return number
    if type(value) in (bool, int, float):
        return float(value)
    raise OttlError(f"cannot make a double of {type_name(value)}")


def bool_like(value: Value) -> bool | None:
    """Return the value as a truth: numbers are true unless 0; nil for nil."""
    if value is None:
        return None
    if isinstance(value, bytes):
        if value not in _TRUTHS:
            raise OttlError(f"{value.decode('utf-8', 'replace')!r} is neither true nor false")
        return _TRUTHS[value]
    if type(value) in (bool, int, float):
        return bool(value)
    raise OttlError(f"cannot make a bool of {type_name(value)}")


def bytes_like(value: Value) -> bytes:
    """Return the value's bytes: of a text in UTF-8, of a number as eight with the highest first; none for nil."""
    if value is None:
        return b""
    if type(value) in (bytes, bytearray):
        return bytes(value)
    if isinstance(value, bool):
        return bytes([value])
    if type(value) is int:
        return struct.pack(">q", value)
    if isinstance(value, float):
        return struct.pack(">d", value)
    raise OttlError(f"cannot make bytes of {type_name(value)}")
