"""Who may send, and whether what is sent can be taken now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milvus_otel_processor.receiver.exports import RefusedForNowError
from milvus_otel_processor.telemetry.counters import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from milvus_otel_processor.memory.limiter import MemoryLimiter

    Headers = tuple[tuple[str, str | bytes], ...]

MEMORY_IS_FULL = "the memory limit is reached"
_REFUSALS_APART = 2.0
"""Seconds: where nobody was refused for longer than this, refusing is over."""


class Admission:
    """The receiver's door: open as long as there is memory, and nothing else is in the way."""

    def __init__(
        self,
        limiter: MemoryLimiter,
        clock: Callable[[], float],
        *,
        authenticates: Callable[[Headers], bool] | None = None,
    ) -> None:
        self._limiter = limiter
        self._clock = clock
        self._authenticates = authenticates
        self._refusing_since: float | None = None
        self._refused_last = float("-inf")
        self.obstacles: list[Callable[[], RefusedForNowError | None]] = []
        """Asked before anything is taken: each returns why nothing can be taken now, or None."""

    def is_authenticated(self, metadata: Headers) -> bool:
        """Tell whether a request with these headers may be read at all."""
        return self._authenticates is None or self._authenticates(metadata)

    def check(self) -> None:
        """Raise RefusedForNowError where nothing can be taken now."""
        if self._limiter.full:
            self._refused()
            raise RefusedForNowError(Refused.MEMORY_LIMIT, MEMORY_IS_FULL)
        for obstacle in self.obstacles:
            if (error := obstacle()) is not None:
                raise error

    def reserve(self, size: int) -> bool:
        """Set aside the memory for a request of so many bytes; False where there is not so much."""
        if self._limiter.reserve(size):
            self._refusing_since = None
            return True
        self._refused()
        return False

    def could_ever_take(self, size: int) -> bool:
        """Tell whether a request of so many bytes would fit if there were nothing else."""
        return self._limiter.could_ever_take(size)

    def release(self, size: int) -> None:
        """Give back what was reserved."""
        self._limiter.release(size)

    @property
    def in_danger(self) -> bool:
        """Whether memory is so short that what is being read has to be let go of."""
        return self._limiter.in_danger

    @property
    def ready(self) -> bool:
        """Whether a request would be taken now."""
        return self.obstacle() is None

    def obstacle(self) -> str | None:
        """Say why a request would not be taken now; None where it would."""
        if self._limiter.full:
            return MEMORY_IS_FULL
        return next((str(error) for obstacle in self.obstacles if (error := obstacle()) is not None), None)

    def seconds_refusing(self) -> float:
        """Return for how long every request was refused for want of memory, 0 where none was lately."""
        now = self._clock()
        if self._refusing_since is None or now - self._refused_last > _REFUSALS_APART:
            return 0.0
        return now - self._refusing_since

    def _refused(self) -> None:
        now = self._clock()
        if self._refusing_since is None or now - self._refused_last > _REFUSALS_APART:
            self._refusing_since = now
        self._refused_last = now
