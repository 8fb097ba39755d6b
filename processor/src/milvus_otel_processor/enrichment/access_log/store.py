"""Lines of the access log that wait for the decision over their trace, bounded in number and in time."""

from __future__ import annotations

from collections import deque
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterable

    from milvus_otel_processor.enrichment.access_log.line import Line

K = TypeVar("K")

RECEIVED, DOUBLED, EVICTED, MALFORMED = "received", "doubled", "evicted", "malformed"
"""What became of lines, in metrics: `received` counts those that were taken in, `evicted` those of them that had to go before
their time because there were too many; `doubled` and `malformed` were not taken in."""


class Store:
    """Lines by trace id, and by connection and method for those whose trace id is not that of a trace.

    Safe to use from any thread. Lines are forgotten `hold` seconds after they came, by `clock`, or when there are more than
    `max_lines`, the oldest first.
    """

    def __init__(self, *, max_lines: int, hold: float, clock: Callable[[], float], counts: Counter[str]) -> None:
        self._max_lines = max_lines
        self._hold = hold
        self._clock = clock
        self._counts = counts
        self._lock = Lock()
        self._arrivals: deque[tuple[float, Line]] = deque()
        self._by_trace: dict[bytes, dict[Line, None]] = {}
        self._by_peer: dict[tuple[str, str], dict[Line, None]] = {}
        self._claimed: set[Line] = set()

    def __len__(self) -> int:
        return len(self._arrivals)

    def add(self, lines: Iterable[Line]) -> None:
        """Take lines in, each once: a sender that was not answered sends again."""
        now = self._clock()
        for line in lines:
            with self._lock:  # for one line at a time, so that no decision waits for a whole request
                self._add(line, now)
                self._forget(now)

    def of_trace(self, trace_id: bytes) -> list[Line]:
        """Return the lines with this trace id."""
        if trace_id not in self._by_trace:
            return []
        with self._lock:
            return list(self._by_trace.get(trace_id, ()))

    def of_peer(self, peer: str, method: str) -> list[Line]:
        """Return the lines of requests with this method on this connection that no trace has claimed."""
        with self._lock:
            return [line for line in self._by_peer.get((peer, method), ()) if line not in self._claimed]

    def claim(self, line: Line) -> None:
        """Remember that a request has been found for this line."""
        with self._lock:
            if line in self._by_peer.get((line.peer, line.method), ()):
                self._claimed.add(line)

    def _add(self, line: Line, now: float) -> None:
        at_peer = self._by_peer.setdefault((line.peer, line.method), {})
        if line in at_peer:
            self._counts[DOUBLED] += 1
            return
        at_peer[line] = None
        if line.trace_id is not None:
            self._by_trace.setdefault(line.trace_id, {})[line] = None
        self._arrivals.append((now, line))
        self._counts[RECEIVED] += 1

    def _forget(self, now: float) -> None:
        arrivals = self._arrivals
        while arrivals and (len(arrivals) > self._max_lines or arrivals[0][0] <= now - self._hold):
            arrived, line = arrivals.popleft()
            if arrived > now - self._hold:
                self._counts[EVICTED] += 1
            self._claimed.discard(line)
            _remove(self._by_peer, (line.peer, line.method), line)
            if line.trace_id is not None:
                _remove(self._by_trace, line.trace_id, line)


def _remove(index: dict[K, dict[Line, None]], key: K, line: Line) -> None:
    lines = index[key]
    del lines[line]
    if not lines:
        del index[key]
