"""Decides whether more may be taken in, by what everything that input makes grow takes now."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from milvus_otel_processor.memory.limit import resident_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_COUNTED_SHARE = 0.8
"""Of what is left beside the program itself: the rest is for what cannot be counted, such as memory in pieces that fit nothing."""
_SMALLEST_BUDGET = 16 << 20
_COUNTED_IN_EARNEST = 0.25
"""Where less than this share of the budget is in use, resident memory above the limit is memory that will be used again."""
IN_FLIGHT_FACTOR = 3
"""A request takes its own size, and the same again twice while it is cut into spans."""


class MemoryLimiter:
    """One bound, in bytes, for all that the processor holds: requests in flight, waiting traces, caches, the sending queue.

    `parts` tell how much each of these takes now. What the program takes by itself is measured once, by `start`, and the
    resident memory is looked at as well: it is the truth where the counting is not. Safe to be called from any thread.
    """

    def __init__(
        self, limit: int, parts: Sequence[Callable[[], int]], *, resident: Callable[[], int] = resident_memory
    ) -> None:
        self.limit = limit
        """The most that the process may take; bytes."""
        self._parts = parts
        self._resident = resident
        self._in_flight = 0
        self._lock = Lock()
        self.budget = 0
        """How much of the limit what is counted may take; bytes."""
        self.start()

    def start(self) -> None:
        """Take what the process uses now for what it uses by itself."""
        self.budget = max(_SMALLEST_BUDGET, int((self.limit - self._resident()) * _COUNTED_SHARE))

    @property
    def used(self) -> int:
        """How much is in use, as the limit counts it; bytes."""
        return self._in_flight * IN_FLIGHT_FACTOR + sum(part() for part in self._parts)

    @property
    def full(self) -> bool:
        """Whether nothing more may be taken in now."""
        used = self.used
        return used >= self.budget or (self._resident() > self.limit and used > self.budget * _COUNTED_IN_EARNEST)

    @property
    def in_danger(self) -> bool:
        """Whether the process takes more than its limit: what is being read has to be let go of."""
        return self._resident() > self.limit * 1.1

    def reserve(self, size: int) -> bool:
        """Set aside what a request of so many bytes takes while it is taken in; False where there is not so much."""
        with self._lock:
            if self.used + size * IN_FLIGHT_FACTOR > self.budget:
                return False
            self._in_flight += size
            return True

    def could_ever_take(self, size: int) -> bool:
        """Tell whether a request of so many bytes would fit if there were nothing else."""
        return size * IN_FLIGHT_FACTOR <= self.budget

    def release(self, size: int) -> None:
        """Give back what was reserved."""
        with self._lock:
            self._in_flight -= size
