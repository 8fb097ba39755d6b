"""A token bucket with the arithmetic of golang.org/x/time/rate v0.16, which the Collector's limiting policies are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_NANOSECONDS = 1e9


class TokenBucket:
    """Holds up to `burst` tokens, is full at the start, and gets `rate` of them a second, continuously.

    `clock` returns seconds that never run backwards.
    """

    def __init__(self, rate: int, burst: int, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._tokens = float(burst)
        self._last = clock()

    def take(self, amount: int) -> bool:
        """Take `amount` tokens and return True if there are as many; else take none. More than `burst` are never there."""
        now = self._clock()
        tokens = min(self._tokens + max(now - self._last, 0.0) * max(self._rate, 0), float(self._burst)) - amount
        # What is missing is counted in whole nanoseconds of waiting, as there: less than one is not missing.
        waits = tokens < 0 and (self._rate <= 0 or -tokens / self._rate * _NANOSECONDS >= 1)
        if amount > self._burst or waits:
            return False
        self._tokens, self._last = tokens, now
        return True
