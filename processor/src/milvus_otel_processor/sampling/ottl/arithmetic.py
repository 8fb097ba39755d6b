"""`+`, `-`, `*` and `/` on numbers, times and durations."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from milvus_otel_processor.sampling.ottl.errors import OttlError
from milvus_otel_processor.sampling.ottl.values import Duration, Time, Value, int64, type_name

if TYPE_CHECKING:
    from collections.abc import Callable

_NUMBERS = (int, float)


def calculate(operator: str, left: Value, right: Value) -> Value:
    """Return `left operator right`. Raises OttlError where the types do not go together, or at a division by zero."""
    kind, other = type(left), type(right)
    if kind in _NUMBERS and other in _NUMBERS:
        if kind is int and other is int:
            return _integer(operator, left, right)
        return _double(operator, float(left), float(right))
    result = _TIMES.get((operator, kind, other))
    if result is None:
        raise OttlError(f"cannot calculate {type_name(left)} {operator} {type_name(right)}")
    return result(int64(left + right if operator == "+" else left - right))


_TIMES: dict[tuple[str, type, type], Callable[[int], Value]] = {
    ("+", Time, Duration): Time,
    ("+", Duration, Time): Time,
    ("+", Duration, Duration): Duration,
    ("-", Time, Duration): Time,
    ("-", Time, Time): Duration,
    ("-", Duration, Duration): Duration,
}


def _integer(operator: str, left: int, right: int) -> int:
    if operator == "+":
        return int64(left + right)
    if operator == "-":
        return int64(left - right)
    if operator == "*":
        return int64(left * right)
    if right == 0:
        raise OttlError("attempted to divide by 0")
    quotient = abs(left) // abs(right)  # cut off towards 0, not down
    return int64(quotient if (left < 0) == (right < 0) else -quotient)


def _double(operator: str, left: float, right: float) -> float:
    if operator == "+":
        return left + right
    if operator == "-":
        return left - right
    if operator == "*":
        return left * right
    if right == 0:
        raise OttlError("attempted to divide by 0")
    try:
        return left / right
    except OverflowError:
        return math.copysign(math.inf, left) * math.copysign(1.0, right)


def negate(value: Value) -> Value:
    """Return `-value`. Raises OttlError for anything but a number."""
    if type(value) is int:
        return int64(-value)
    if type(value) is float:
        return -value
    raise OttlError(f"cannot calculate -{type_name(value)}")
