"""Lines of the access log that wait for the decision over their trace, bounded in number and in time."""

from __future__ import annotations

from collections import deque
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterable

    from milvus_otel_processor.enrichment.access_log.line import Line

K = TypeVar("K")
Key = tuple[int, int, str, bytes | None]
"""What tells one line from another: end, cost, method and trace id."""

_LINES_PER_TURN = 64  # taken in before the lock is given back, so that no decision waits for a whole request

RECEIVED, DOUBLED, EVICTED, MALFORMED = "received", "doubled", "evicted", "malformed"
"""What became of lines, in metrics: `received` counts those that were taken in, `evicted` those of them that had to go before
their time because there were too many; `doubled` and `malformed` were not taken in."""


class Store:
    """Lines by trace id, and by connection and method for those whose trace id is not that of a trace.

    Safe to use from any thread. Lines are forgotten `hold()` seconds after they came, by `clock`, or when there are more than
    `max_lines`, the oldest first.
    """

    def __init__(
        self, *, max_lines: int, hold: Callable[[], float], clock: Callable[[], float], counts: Counter[str]
    ) -> None:
        self._max_lines = max_lines
        self._hold = hold
        self._clock = clock
        self._counts = counts
        self._lock = Lock()
        self._arrivals: deque[tuple[float, Key, Line]] = deque()
        self._by_trace: dict[bytes, dict[Key, Line]] = {}
        self._by_peer: dict[tuple[str, str], dict[Key, Line]] = {}
        self.failures: dict[bytes, int] = {}
        """How many lines of failed requests there are, by trace id."""
        self.failures_by_peer: dict[int, Line] = {}
        """The lines of failed requests whose trace id may be a client's own text, by their identity."""

    def __len__(self) -> int:
        return len(self._arrivals)

    def add(self, lines: Iterable[Line]) -> None:
        """Take lines in, each once: a sender that was not answered sends again."""
        now = self._clock()
        too_old = now - self._hold()
        arrivals, rest = self._arrivals, iter(lines)
        while some := list(islice(rest, _LINES_PER_TURN)):
            with self._lock:
                for line in some:
                    if arrivals and (len(arrivals) >= self._max_lines or arrivals[0][0] <= too_old):
                        self._forget(too_old)
                    self._add(line, now)

    @property
    def holds_peers(self) -> bool:
        """Whether there is any line whose trace id may be a client's own text."""
        return bool(self._by_peer)

    def of_trace(self, trace_id: bytes) -> list[Line]:
        """Return the lines with this trace id."""
        found = self._by_trace.get(trace_id)
        return list(found.values()) if found is not None else []  # one step each, so without the lock

    def of_peer(self, peer: str, method: str) -> list[Line]:
        """Return the lines of requests with this method on this connection whose trace id may be a client's own text.

        Those that a request has been found for are not among them.
        """
        if (peer, method) not in self._by_peer:
            return []
        with self._lock:
            return [line for line in self._by_peer.get((peer, method), {}).values() if not line.claimed]

    def _add(self, line: Line, now: float) -> None:
        trace_id = line.trace_id
        key = (line.end, line.cost, line.method, trace_id)
        if trace_id is not None:
            of_trace = self._by_trace.get(trace_id)
            if of_trace is None:
                self._by_trace[trace_id] = {key: line}
            elif key in of_trace:
                self._counts[DOUBLED] += 1
                return
            else:
                of_trace[key] = line
        if trace_id is None or may_be_made_up(trace_id):
            at_peer = self._by_peer.setdefault((line.peer, line.method), {})
            if key in at_peer:
                self._counts[DOUBLED] += 1
                return
            at_peer[key] = line
            if line.facts.error_type is not None:
                self.failures_by_peer[id(line)] = line
        if trace_id is not None and line.facts.error_type is not None:
            self.failures[trace_id] = self.failures.get(trace_id, 0) + 1
        self._arrivals.append((now, key, line))
        self._counts[RECEIVED] += 1

    def _forget(self, too_old: float) -> None:
        arrivals = self._arrivals
        while arrivals and (len(arrivals) >= self._max_lines or arrivals[0][0] <= too_old):
            arrived, key, line = arrivals.popleft()
            if arrived > too_old:
                self._counts[EVICTED] += 1
            if line.trace_id is not None:
                _remove(self._by_trace, line.trace_id, key)
                if line.facts.error_type is not None:
                    self._forget_failure(line.trace_id)
            if may_be_made_up(line.trace_id):
                _remove(self._by_peer, (line.peer, line.method), key)
                self.failures_by_peer.pop(id(line), None)

    def _forget_failure(self, trace_id: bytes) -> None:
        self.failures[trace_id] -= 1
        if not self.failures[trace_id]:
            del self.failures[trace_id]


def may_be_made_up(trace_id: bytes | None) -> bool:
    """Tell whether a client's own text may stand in the place of the trace id: no id at all, or a UUID without its dashes."""
    return trace_id is None or (trace_id[6] >> 4 == 4 and trace_id[8] >> 6 == 2)


def _remove(index: dict[K, dict[Key, Line]], place: K, key: Key) -> None:
    lines = index[place]
    del lines[key]
    if not lines:
        del index[place]
