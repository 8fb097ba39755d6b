"""The values that conditions are made of, and how they compare.

| OTTL | here |
| --- | --- |
| nil, bool, int64, float64 | None, bool, int, float |
| string | bytes: its UTF-8 form, which is what lengths and positions count |
| byte slice | bytearray |
| map, list | dict with bytes as keys, list |
| time, duration | Time, Duration: nanoseconds |
| trace id, span id | TraceId, SpanId |
| a list of span events or links | tuple |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from milvus_otel_processor.spans.schema import AnyValue, KeyValue

Value = Any
"""One of the types in the table above."""


class Time(int):
    """A moment: nanoseconds since the epoch, in UTC."""


class Duration(int):
    """A length of time: nanoseconds."""


class TraceId(bytes):
    """16 bytes."""


class SpanId(bytes):
    """8 bytes, all zero where the span has no such id."""


_INT_BITS = 64
LEAST_INT, GREATEST_INT = -(1 << 63), (1 << 63) - 1


def int64(number: int) -> int:
    """Return the number as Go's int64 holds it: wrapped around."""
    if LEAST_INT <= number <= GREATEST_INT:
        return number
    number &= (1 << _INT_BITS) - 1
    return number - (1 << _INT_BITS) if number >> (_INT_BITS - 1) else number


def _of_array(value: AnyValue) -> list[Value]:
    return [value_of(item) for item in value.array_value.values]


_READ: dict[str | None, Callable[[AnyValue], Value]] = {
    None: lambda _: None,
    "string_value": lambda value: value.string_value,
    "bool_value": lambda value: value.bool_value,
    "int_value": lambda value: value.int_value,
    "double_value": lambda value: value.double_value,
    "array_value": _of_array,
    "kvlist_value": lambda value: map_of(value.kvlist_value.values),
    "bytes_value": lambda value: bytearray(value.bytes_value),
}


def value_of(value: AnyValue) -> Value:
    """Return what an attribute's value is in OTTL."""
    return _READ[value.WhichOneof("value")](value)


def map_of(pairs: Iterable[KeyValue]) -> dict[bytes, Value]:
    """Return the map of these attributes; of a key that comes twice the first counts."""
    found: dict[bytes, Value] = {}
    for pair in pairs:
        if pair.key not in found:
            found[pair.key] = value_of(pair.value)
    return found


_NUMBERS = frozenset({int, float})
_ORDERED = frozenset({bool, bytes, bytearray, Time, Duration})
_UNORDERED = frozenset({dict, list, TraceId, SpanId})
_NAMES = {
    type(None): "nil",
    bool: "bool",
    int: "int64",
    float: "float64",
    bytes: "string",
    bytearray: "[]byte",
    dict: "map",
    list: "list",
    Time: "time",
    Duration: "duration",
    TraceId: "trace id",
    SpanId: "span id",
    tuple: "list of events or links",
}


def type_name(value: Value) -> str:
    """Return what OTTL calls the type of the value."""
    return _NAMES.get(type(value), type(value).__name__)


def equal(left: Value, right: Value) -> bool:
    """Tell whether two values are equal: of one type, or both numbers. Maps and lists are compared to the bottom.

    No bytes are nil, as in the Collector.
    """
    kind = type(left)
    if kind is not type(right):
        return (kind in _NUMBERS and type(right) in _NUMBERS and bool(left == right)) or _both_nil(left, right)
    if kind is dict:
        return left.keys() == right.keys() and all(equal(value, right[key]) for key, value in left.items())
    if kind is list:
        return len(left) == len(right) and all(map(equal, left, right))
    return kind is not tuple and bool(left == right)


def _comparable(left: Value, right: Value) -> bool:
    kind = type(left)
    if kind is type(right):
        return kind in _ORDERED or kind in _NUMBERS
    return kind in _NUMBERS and type(right) in _NUMBERS


def less(left: Value, right: Value) -> bool:
    """Tell whether left < right; False for values that have no order."""
    return _comparable(left, right) and bool(left < right)


def less_or_equal(left: Value, right: Value) -> bool:
    """Tell whether left <= right; nil is with itself."""
    return (_comparable(left, right) and bool(left <= right)) or _both_nil(left, right)


def _both_nil(left: Value, right: Value) -> bool:
    return _is_nil(left) and _is_nil(right)


def _is_nil(value: Value) -> bool:
    return value is None or (type(value) is bytearray and not value)


COMPARISONS: dict[str, Callable[[Value, Value], bool]] = {
    "==": equal,
    "!=": lambda left, right: not equal(left, right),
    "<": less,
    "<=": less_or_equal,
    ">": lambda left, right: less(right, left),
    ">=": lambda left, right: less_or_equal(right, left),
}
