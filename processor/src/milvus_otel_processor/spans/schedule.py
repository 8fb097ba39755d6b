"""When each waiting trace is due: after its wait, after its root, or when it is complete and quiet."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_TICKS_PER_WAIT = 50
_SHORTEST_TICK, _LONGEST_TICK = 0.02, 0.5


class Schedule:
    """Trace ids in the order in which they are due. All times are seconds that never run backwards; calls come in their order.

    Traces that arrive in the same tick are due together, so a trace waits up to one tick (`tick` seconds) longer. An id that is
    given out may be of a trace that was decided before: the caller knows which wait.
    """

    def __init__(self, wait: float) -> None:
        self._begin(wait)
        self._ticks: deque[tuple[float, deque[bytes]]] = deque()
        self._hurried: deque[tuple[float, bytes]] = deque()
        self._watched: deque[tuple[float, bytes, int]] = deque()

    def _begin(self, wait: float) -> None:
        self.wait = wait
        self.tick = min(max(wait / _TICKS_PER_WAIT, _SHORTEST_TICK), _LONGEST_TICK)
        self._newest: deque[bytes] = deque()
        self._newest_due = float("-inf")

    def change_wait(self, wait: float, now: float) -> None:
        """Let traces wait `wait` seconds from now on; those that wait already do so no longer than that from now."""
        self._begin(wait)
        latest = now + wait
        self._ticks = deque((min(due, latest), ids) for due, ids in self._ticks)
        self._hurried = deque((min(due, latest), trace_id) for due, trace_id in self._hurried)

    def arrivals(self, now: float) -> deque[bytes]:
        """Return the queue to which the id of each trace that arrives now has to be appended."""
        if now + self.wait > self._newest_due:
            self._newest = deque()
            self._newest_due = now + self.wait + self.tick
            self._ticks.append((self._newest_due, self._newest))
        return self._newest

    def hurry(self, trace_id: bytes, due: float) -> None:
        """Make a trace due at `due` if that is sooner."""
        self._hurried.append((due, trace_id))

    def watch(self, trace_id: bytes, spans: int, until: float) -> None:
        """Give out a trace by `quiet` at `until`, with how many spans it has now."""
        self._watched.append((until, trace_id, spans))

    def due(self, now: float) -> Iterator[bytes]:
        """Give out the traces that are due, the oldest first, each when it is asked for."""
        while self._hurried and self._hurried[0][0] <= now:
            yield self._hurried.popleft()[1]
        while self._ticks and self._ticks[0][0] <= now:
            yield from self._oldest_tick()

    def oldest(self) -> Iterator[bytes]:
        """Give out all traces, the oldest first, each when it is asked for."""
        while self._ticks:
            yield from self._oldest_tick()

    def quiet(self, now: float) -> Iterator[tuple[bytes, int]]:
        """Give out the traces whose watch is over, with the spans that they had when it began, each when it is asked for."""
        while self._watched and self._watched[0][0] <= now:
            _, trace_id, spans = self._watched.popleft()
            yield trace_id, spans

    def _oldest_tick(self) -> Iterator[bytes]:
        ids = self._ticks[0][1]
        if ids is self._newest:
            self._newest_due = float("-inf")  # what arrives from now on starts a tick of its own
        while ids:
            yield ids.popleft()
        self._ticks.popleft()
