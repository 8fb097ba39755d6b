"""Kept spans that wait to be sent, gathered into batches; it tells whether there is room for more."""

from __future__ import annotations

from collections import deque
from threading import Condition
from typing import TYPE_CHECKING

from milvus_otel_processor.exporter.batch import Batch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from milvus_otel_processor.exporter.settings import QueueSettings
    from milvus_otel_processor.spans.contract import Trace
    from milvus_otel_processor.storage.segments import Place

_ROOM_FOR_SPANS = 7
"""Eighths of a request that its spans may take: the rest is for what is around them, which is not counted."""


class SpanQueue:
    """A queue of spans that gives them out in batches: when enough are there, or the first has waited long enough.

    Its size counts the spans in memory that wait and those that were given out and not yet done with. It is a bound for who
    asks `wait_for_room` first, as the decisions do; what comes without asking is taken too, for there is nobody to give it back
    to. Safe to be called from any thread.
    """

    def __init__(self, settings: QueueSettings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._full = (settings.batch.max_size_mib << 20) * _ROOM_FOR_SPANS // 8
        self._clock = clock
        self._ready: deque[Batch] = deque()
        self._unfinished: dict[Batch, None] = {}
        self._gathering: list[Trace] = []
        self._gathered = self._gathered_bytes = 0
        self._gathering_from = 0
        self._position = 0
        self._flush_at = 0.0
        self._held = 0
        self.bytes = 0
        """How much memory the spans take that are held, as far as it is theirs alone."""
        self._closed = False
        self._changed = Condition()

    def put(self, trace: Trace) -> bool:
        """Take a trace over; tell whether it was, which it is not once the queue is closed. Never waits for room."""
        with self._changed:
            if self._closed:
                return False
            size = Batch.size_of(trace)
            # What is larger than one request may be would have to be cut again, after it has been put together in vain.
            if self._gathering and self._gathered_bytes + size > self._full:
                self._flush()
            if not self._gathering:
                self._gathering_from = self._position
                self._flush_at = self._clock() + self._settings.batch.flush_timeout
                self._changed.notify_all()
            self._position += 1
            self._held += len(trace)
            self.bytes += Batch.memory_of(size, len(trace))
            self._gathering.append(trace)
            self._gathered += len(trace)
            self._gathered_bytes += size
            if self._gathered >= self._settings.batch.min_size or self._gathered_bytes >= self._full:
                self._flush()
            return True

    def put_back(self, batches: Iterable[Batch]) -> None:
        """Take batches that are on disk already, from before the start."""
        with self._changed:
            for batch in batches:
                self._ready.append(batch)
                self._unfinished[batch] = None
            self._changed.notify_all()

    def wait_for_room(self, timeout: float) -> bool:
        """Wait until fewer spans are held than the queue's size, for `timeout` seconds at the most; tell whether there are."""
        with self._changed:
            self._changed.wait_for(self._has_room, timeout)
            return self._has_room()

    def _has_room(self) -> bool:
        return self._held < self._settings.queue_size

    def take(self) -> Batch | None:
        """Wait for a batch and return it, or None when the queue is closed and empty."""
        with self._changed:
            while not self._ready:
                wait: float | None = None
                if self._gathering:
                    wait = self._flush_at - self._clock()
                    if self._closed or wait <= 0:
                        self._flush()
                        break
                elif self._closed:
                    return None
                self._changed.wait(wait)
            return self._ready.popleft()

    def done(self, batch: Batch) -> None:
        """Make room again: a batch that was taken is sent, or lost."""
        with self._changed:
            del self._unfinished[batch]
            self._let_go(batch)

    def position(self) -> int:
        """Return a number that tells what was put until now from what will be: see `is_out`."""
        with self._changed:
            return self._position

    def is_out(self, position: int) -> bool:
        """Tell whether all that was put before `position` was returned is sent, or lost, or on disk."""
        with self._changed:
            if self._gathering and self._gathering_from < position:
                return False
            # In the order of their beginnings, so that the first one in memory settles it.
            first = next((batch.position for batch in self._unfinished if not batch.is_on_disk), position)
            return first >= position

    def in_memory(self, older_than: float) -> list[Batch]:
        """Return the batches that are not on disk and were begun before `older_than`; all of them where the queue is half full."""
        with self._changed:
            crowded = self._held > self._settings.queue_size // 2
            return [
                batch for batch in self._unfinished if not batch.is_on_disk and (crowded or batch.begun < older_than)
            ]

    def on_disk(self, batch: Batch, place: Place) -> bool:
        """Note where a batch is on disk, and forget its spans unless it is under way; False where it is done with meanwhile."""
        with self._changed:
            if batch not in self._unfinished:
                return False
            batch.place = place
            if batch in self._ready:
                self._let_go(batch)
            return True

    def flush(self) -> None:
        """Make a batch of what is being gathered."""
        with self._changed:
            if self._gathering:
                self._flush()

    def close(self) -> None:
        """Take nothing more; what waits is still given out, at once."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def clear(self) -> list[Batch]:
        """Forget what waits and return it."""
        with self._changed:
            if self._gathering:
                self._flush()
            dropped = list(self._ready)
            self._ready.clear()
            for batch in dropped:
                del self._unfinished[batch]
                self._let_go(batch)
            return dropped

    def _let_go(self, batch: Batch) -> None:
        self._held -= batch.held
        self.bytes -= batch.memory
        batch.let_go()
        self._changed.notify_all()

    def _flush(self) -> None:
        begun = self._flush_at - self._settings.batch.flush_timeout
        batch = Batch(
            self._gathering, self._gathered, size=self._gathered_bytes, position=self._gathering_from, begun=begun
        )
        self._ready.append(batch)
        self._unfinished[batch] = None
        self._gathering, self._gathered, self._gathered_bytes = [], 0, 0
        self._changed.notify_all()
