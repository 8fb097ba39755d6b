"""Log records that wait for the decision over their trace."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from milvus_otel_processor.logs.records import memory_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milvus_otel_processor.logs.records import Record

_BYTES_PER_TRACE = 550
"""About what a trace takes beside its records: its id, its entry, its place among those to be asked about."""


class Held:
    """The records of one trace, in the order of their arrival."""

    __slots__ = ("arrivals", "size", "was_unknown")

    def __init__(self) -> None:
        self.arrivals: list[tuple[float, list[Record]]] = []
        """What came at once, and when; seconds."""
        self.size = _BYTES_PER_TRACE
        self.was_unknown = False
        """Whether nothing was known of the trace when it was last asked about."""


class HeldRecords:
    """Records by trace id; each trace has its turn to be asked about every `pause` seconds. Calls are serialized by the caller."""

    def __init__(self, pause: float) -> None:
        self._pause = pause
        self._traces: dict[bytes, Held] = {}
        self._turns: deque[tuple[float, bytes, Held]] = deque()
        self.records = 0
        """How many records wait."""
        self.size = 0
        """About how much memory they take; bytes."""

    def __len__(self) -> int:
        return len(self._traces)

    def add(self, trace_id: bytes, records: list[Record], now: float) -> None:
        """Have records wait for this trace."""
        held = self._traces.get(trace_id)
        if held is None:
            held = self._traces[trace_id] = Held()
            self._turns.append((now + self._pause, trace_id, held))
            self.size += held.size
        size = memory_of(records)
        held.arrivals.append((now, records))
        held.size += size
        self.size += size
        self.records += len(records)

    def turns(self, now: float) -> Iterator[tuple[bytes, Held]]:
        """Yield each trace whose turn has come; one that still waits afterwards has its next turn after the pause."""
        while self._turns and self._turns[0][0] <= now:
            _, trace_id, held = self._turns.popleft()
            if self._traces.get(trace_id) is held:
                yield trace_id, held
            if self._traces.get(trace_id) is held:
                self._turns.append((now + self._pause, trace_id, held))

    def take(self, trace_id: bytes) -> list[Record]:
        """Remove and return all records of a trace. Raises KeyError where none waits."""
        held = self._traces.pop(trace_id)
        records = [record for _, arrived in held.arrivals for record in arrived]
        self.records -= len(records)
        self.size -= held.size
        if not self._traces:
            self._turns.clear()  # what is left there is of traces that are gone
        return records

    def take_older(self, trace_id: bytes, until: float) -> list[Record]:
        """Remove and return the records of a trace that came before this time, or at it."""
        held = self._traces[trace_id]
        if held.arrivals[-1][0] <= until:
            return self.take(trace_id)
        older = [record for arrived, records in held.arrivals if arrived <= until for record in records]
        held.arrivals = [arrival for arrival in held.arrivals if arrival[0] > until]
        size = memory_of(older)
        held.size -= size
        self.size -= size
        self.records -= len(older)
        return older

    def oldest(self) -> bytes:
        """Return the trace that has waited for longest. Raises StopIteration where none waits."""
        return next(iter(self._traces))
