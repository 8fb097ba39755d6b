"""Quantiles of durations with a stated error, from counts in bins that grow by a constant factor.

The bins are those of DDSketch (Masson, Rim, Lee: DDSketch, VLDB 2019, section 2.1), so a quantile is at most `RELATIVE_ERROR` off
the exact one. Bins of any two sketches can be added up without loss.
"""

from __future__ import annotations

from math import ceil, log
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

RELATIVE_ERROR = 0.01
"""Of a quantile, against the exact one of the same values: 0.01 is one percent."""

SHORTEST, LONGEST = 1e-9, 1e7
"""Seconds; what lies beyond counts as these: no request takes less than a nanosecond or more than 115 days."""

_GROWTH = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
PER_LOG = 1 / log(_GROWTH)
"""Bins for each factor e."""
_FIRST, _LAST = ceil(log(SHORTEST) * PER_LOG), ceil(log(LONGEST) * PER_LOG)


def place(seconds: float) -> int:
    """Return the number of the bin in which a duration counts; fits into 16 bits."""
    if SHORTEST < seconds < LONGEST:
        return ceil(log(seconds) * PER_LOG)
    return _LAST if seconds >= LONGEST else _FIRST  # neither is true of NaN


def value(place: int) -> float:
    """Return the duration that stands for all of a bin, in seconds."""
    return 2 * _GROWTH**place / (_GROWTH + 1)


def quantiles(bins: Mapping[int, int], shares: tuple[float, ...]) -> list[float]:
    """Return the duration below which each of these shares of all lies, in seconds; `shares` ascend, and are from 0 to 1.

    Of n values it is the one with rank `share * (n - 1)`, rounded down. Without values it is 0.0.
    """
    last = sum(bins.values()) - 1
    if last < 0:
        return [0.0] * len(shares)
    found: list[float] = []
    below = 0
    for one in sorted(bins):
        below += bins[one]
        while len(found) < len(shares) and below > int(shares[len(found)] * last):
            found.append(value(one))
    return found
