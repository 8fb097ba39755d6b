"""What a trace has to have for a comparison to hold for any of its spans."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from milvus_otel_processor.sampling.hints.wanted import of_number
from milvus_otel_processor.sampling.ottl.paths import STATUS_CODE
from milvus_otel_processor.sampling.ottl.values import Duration
from milvus_otel_processor.spans.wanted import Wanted

if TYPE_CHECKING:
    from milvus_otel_processor.sampling.ottl.nodes import Operand
    from milvus_otel_processor.sampling.ottl.values import Value

_NUMBERS = frozenset({int, float})


def wanted_of_comparison(left: Operand, operator: str, value: Value) -> Wanted | None:
    """Return what a trace has, by its times, statuses or numbers, where `left operator value` holds; None for other operands."""
    kind = type(value)
    if operator == "!=":
        return None
    if left.get is STATUS_CODE and operator == "==" and kind is int:
        return Wanted(statuses=frozenset((value,)))
    if left.is_span_time and (kind is Duration or kind in _NUMBERS):
        return _of_span_time(operator, value)
    if left.key and kind in _NUMBERS:
        least, greatest = _bounds(operator, value)
        number = of_number(left.key, least, greatest, lambda _: True)
        return Wanted(values=(number._replace(decoded=True),))
    return None


def _of_span_time(operator: str, value: float) -> Wanted | None:
    """No span takes longer than its trace, so the trace takes at least as long as the span has to."""
    least, _ = _bounds(operator, value)
    return Wanted(durations=((math.ceil(least), None),)) if 0 <= least < math.inf else None


def _bounds(operator: str, value: float) -> tuple[float, float]:
    """Return the least and the greatest number that compare so."""
    return -math.inf if operator in ("<", "<=") else value, math.inf if operator in (">", ">=") else value
