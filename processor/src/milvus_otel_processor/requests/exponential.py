"""Base-2 exponential histograms of durations, bounded in buckets.

As OpenTelemetry's data model has them (https://opentelemetry.io/docs/specs/otel/metrics/data-model/#exponentialhistogram), with the
SDK's default of 160 buckets: where more would be needed, two become one. The SDK's own histogram takes about 20 times as long to
record a value (docs/observability.md), which is too long for each request.
"""

from __future__ import annotations

from math import frexp, log2
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_BUCKETS: Final = 160
_FIRST_SCALE = 20


class ExponentialCounts:
    """How often values were within each bucket: the one with index `i` is above `base ** i`, up to `base ** (i + 1)`.

    `base` is `2 ** 2 ** -scale`; values of 0 and below are in `zero_count`.
    """

    __slots__ = ("_counts", "scale", "zero_count")

    def __init__(self) -> None:
        self.scale = _FIRST_SCALE
        self.zero_count = 0
        self._counts: dict[int, int] = {}

    def add(self, value: float) -> None:
        """Count a value."""
        if value <= 0:
            self.zero_count += 1
            return
        index = _index(value, self.scale)
        counts = self._counts
        if index not in counts:
            low, high = min((index, *counts)), max((index, *counts))
            while high - low >= MOST_BUCKETS:
                self._halve()
                low, high, index = low >> 1, high >> 1, index >> 1
            counts = self._counts
        counts[index] = counts.get(index, 0) + 1

    def _halve(self) -> None:
        """Make two buckets one."""
        halved: dict[int, int] = {}
        for index, count in self._counts.items():
            halved[index >> 1] = halved.get(index >> 1, 0) + count
        self._counts, self.scale = halved, self.scale - 1

    @property
    def offset(self) -> int:
        """The index of the first bucket in `counts`."""
        return min(self._counts, default=0)

    @property
    def counts(self) -> Sequence[int]:
        """The counts of all buckets from the first to the last that has any."""
        if not self._counts:
            return ()
        return [self._counts.get(index, 0) for index in range(self.offset, max(self._counts) + 1)]


def _index(value: float, scale: int) -> int:
    """Return the index of the bucket of a value above 0; bounds are within the bucket below them."""
    fraction, exponent = frexp(value)
    if fraction == 0.5:
        return ((exponent - 1) << scale) - 1 if scale >= 0 else (exponent - 2) >> -scale
    if scale <= 0:
        return (exponent - 1) >> -scale
    return int(log2(value) * (1 << scale) // 1)
