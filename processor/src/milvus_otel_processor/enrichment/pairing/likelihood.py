"""How well a line of the access log and Milvus' own span of a call fit each other.

Milvus measures a call twice: the span, and within it the access log, whose line says what the call cost and when it ended, in
whole milliseconds. So with `start` and `end` of the span, and `line` and `cost` of the line, always

    start <= line + 1 ms - cost        the line's interval lies within the span's
    end >= line
    end - start >= cost

Until Milvus 2.4 it is the other way round: the span lies within the line's interval.

How much longer than the line's cost the span is, its surplus, tells calls of the same moment from each other. It was measured on
recordings of Milvus 2.5.24 and 2.6.16 with the truth beside them: nearly always 20 to 150 µs, for one in a hundred longer, up to
6 ms.
"""

from __future__ import annotations

from math import exp, log, pi, sqrt

MILLISECOND = 1_000_000
LONGEST_SURPLUS = 200 * MILLISECOND
"""What is longer is not paired: a proxy that is throttled stands still for 100 ms at a time."""

LONGEST_WITHIN = 20 * MILLISECOND
"""The same, for spans within their line's interval."""

_TYPICAL, _SPREAD = 60_000, 0.55  # median in ns, and standard deviation of the logarithm
_TAIL, _TAIL_SCALE = 0.05, 300_000  # share of calls that take longer than that, and how much, in ns
_SWAPPED, _SWAPPED_WITHIN = 0.005, 15_000  # not one of 169 pairs that ended 20 to 200 µs one after the other
_STEPS = 8 / log(2)  # of the table below, for each doubling
_FIRST = 1_000  # ns; what is shorter is as likely


def fit(start: int, end: int, line: int, cost: int, *, within: bool = False) -> float:
    """Return how likely a call and its line have these times, for each nanosecond of surplus; 0 where they cannot have.

    All are nanoseconds, `line` with its milliseconds cut off. `within` is whether spans lie within their line's interval.
    """
    surplus = end - start - cost
    earliest, latest = start + cost, end
    if within:
        surplus, earliest, latest = -surplus, latest, earliest
    if surplus < 0 or surplus > (LONGEST_WITHIN if within else LONGEST_SURPLUS):
        return 0.0
    # The line was written between these two moments, and in its own millisecond.
    overlap = min(latest, line + MILLISECOND) - max(earliest, line)
    if overlap < 0:
        return 0.0
    return _DENSITIES[int(log(surplus + _FIRST) * _STEPS)] * (overlap + 1) / (surplus + 1)


def _density(step: int) -> float:
    surplus = exp((step + 0.5) / _STEPS)
    deviation = log(surplus / _TYPICAL) / _SPREAD
    typical = exp(-deviation * deviation / 2) / (surplus * _SPREAD * sqrt(2 * pi))
    return (1 - _TAIL) * typical + _TAIL * _TAIL_SCALE / (surplus + _TAIL_SCALE) ** 2


_DENSITIES = [_density(step) for step in range(int(log(LONGEST_SURPLUS + _FIRST) * _STEPS) + 1)]


def swap(first_end: int, next_end: int) -> float:
    """Return how likely the lines of two calls were written the other way round, beside the order in which the calls ended."""
    return _SWAPPED + (0.5 - _SWAPPED) * exp((first_end - next_end) / _SWAPPED_WITHIN)
