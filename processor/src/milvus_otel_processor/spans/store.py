"""Holds spans by trace id until their trace is due."""

from __future__ import annotations

from collections import deque
from typing import Any

from milvus_otel_processor.spans.trace import Trace

Entry = list[Any]
"""A trace that waits: the group and the bytes of its first span, then of its second, and so on. One flat list costs the least."""

_TICKS_PER_WAIT = 50
_SHORTEST_TICK, _LONGEST_TICK = 0.02, 0.5


class Buffer:
    """Traces in the order of their arrival, each due `wait` seconds after its first span.

    Knows no clock and no lock: the caller tells the time, in seconds that never run backwards, and serializes the calls.
    Traces that arrive in the same tick are due together, so a trace waits up to one tick (`tick` seconds) longer.
    """

    def __init__(self, wait: float) -> None:
        self.wait = wait
        self.tick = _tick(wait)
        self.entries: dict[bytes, Entry] = {}
        self._ticks: deque[tuple[float, deque[bytes]]] = deque()
        self._hurried: deque[tuple[float, bytes]] = deque()
        self._quiet: deque[tuple[float, bytes, int]] = deque()
        self._newest: deque[bytes] = deque()
        self._newest_due = float("-inf")

    def __len__(self) -> int:
        return len(self.entries)

    def arrivals(self, now: float) -> deque[bytes]:
        """Return the queue to which the id of each trace that is put into `entries` now has to be appended."""
        if now + self.wait > self._newest_due:
            self._newest = deque()
            self._newest_due = now + self.wait + self.tick
            self._ticks.append((self._newest_due, self._newest))
        return self._newest

    def hurry(self, trace_id: bytes, due: float) -> None:
        """Make a trace due at `due` if that is sooner; calls come in the order of `due`."""
        self._hurried.append((due, trace_id))

    def watch(self, trace_id: bytes, arrived: int, now: float, quiet: float) -> None:
        """Make a trace due when it is complete and nothing of it arrives for `quiet` seconds; calls come in the order of `now`.

        `arrived` is how many of its spans are there now.
        """
        self._quiet.append((now + quiet, trace_id, arrived))

    def take_finished(self, now: float, quiet: float, limit: int) -> list[Trace]:
        """Remove and return watched traces that are complete and were quiet for `quiet` seconds, `limit` at the most.

        One that went on to grow is watched on; one that is quiet and not complete waits for its time.
        """
        taken: list[Trace] = []
        while self._quiet and self._quiet[0][0] <= now and len(taken) < limit:
            _, trace_id, arrived = self._quiet.popleft()
            entry = self.entries.get(trace_id)
            if entry is None:
                continue
            if len(entry) // 2 > arrived:
                self.watch(trace_id, len(entry) // 2, now, quiet)
                continue
            trace = trace_of(trace_id, entry)
            if trace.complete:
                del self.entries[trace_id]
                taken.append(trace)
        return taken

    def take(self, trace_id: bytes) -> Trace:
        """Remove and return a trace that waits. Raises KeyError where it does not."""
        return trace_of(trace_id, self.entries.pop(trace_id))

    def change_wait(self, wait: float, now: float) -> None:
        """Let traces wait `wait` seconds from now on; those that wait already do so no longer than that from now."""
        self.wait = wait
        self.tick = _tick(wait)
        self._newest_due = float("-inf")
        latest = now + wait
        self._ticks = deque((min(due, latest), ids) for due, ids in self._ticks)
        self._hurried = deque((min(due, latest), trace_id) for due, trace_id in self._hurried)

    def take_due(self, now: float, limit: int) -> list[Trace]:
        """Remove and return traces that are due, the oldest first, about `limit` at the most."""
        taken: list[Trace] = []
        while self._hurried and self._hurried[0][0] <= now and len(taken) < limit:
            self._take(self._hurried.popleft()[1], taken)
        while self._ticks and self._ticks[0][0] <= now and len(taken) < limit:
            self._take_from_oldest_tick(taken, limit)
        return taken

    def take_oldest(self, limit: int) -> list[Trace]:
        """Remove and return the oldest traces, due or not, `limit` at the most."""
        taken: list[Trace] = []
        while self._ticks and len(taken) < limit:
            self._take_from_oldest_tick(taken, limit)
        return taken

    def _take_from_oldest_tick(self, taken: list[Trace], limit: int) -> None:
        ids = self._ticks[0][1]
        if ids is self._newest:
            self._newest_due = float("-inf")  # what arrives from now on starts a tick of its own
        while ids and len(taken) < limit:
            self._take(ids.popleft(), taken)
        if not ids:
            self._ticks.popleft()

    def _take(self, trace_id: bytes, taken: list[Trace]) -> None:
        # A trace that was decided early is not there any more.
        entry = self.entries.pop(trace_id, None)
        if entry is not None:
            taken.append(trace_of(trace_id, entry))


def _tick(wait: float) -> float:
    return min(max(wait / _TICKS_PER_WAIT, _SHORTEST_TICK), _LONGEST_TICK)


def trace_of(trace_id: bytes, entry: Entry) -> Trace:
    """Return the trace that an entry holds."""
    return Trace(trace_id, entry[::2], entry[1::2])
