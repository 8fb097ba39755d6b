"""Kept spans that wait to be sent, gathered into batches; it tells whether there is room for more."""

from __future__ import annotations

from collections import deque
from threading import Condition
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from milvus_otel_processor.exporter.settings import QueueSettings
    from milvus_otel_processor.spans.contract import Trace

    Batch = list[Trace]


_BYTES_PER_SPAN = 128  # its object, the pair that it is in, and that one's place in a list


class SpanQueue:
    """A queue of spans that gives them out in batches: when enough are there, or the first has waited long enough.

    Its size counts the spans that wait and those that were given out and not yet done with. It is a bound for who asks
    `wait_for_room` first, as the decisions do; what comes without asking is taken too, for there is nobody to give it back to.
    Safe to be called from any thread.
    """

    def __init__(self, settings: QueueSettings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._clock = clock
        self._ready: deque[Batch] = deque()
        self._gathering: Batch = []
        self._gathered = 0
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
            self._held += len(trace)
            self.bytes += _memory([trace])
            if not self._gathering:
                self._flush_at = self._clock() + self._settings.batch.flush_timeout
                self._changed.notify_all()
            self._gathering.append(trace)
            self._gathered += len(trace)
            if self._gathered >= self._settings.batch.min_size:
                self._flush()
            return True

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
            self._held -= sum(map(len, batch))
            self.bytes -= _memory(batch)
            self._changed.notify_all()

    def close(self) -> None:
        """Take nothing more; what waits is still given out, at once."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def clear(self) -> int:
        """Forget what waits and return how many spans that was."""
        with self._changed:
            dropped = sum(len(trace) for batch in self._ready for trace in batch) + self._gathered
            self.bytes -= sum(map(_memory, self._ready)) + _memory(self._gathering)
            self._ready.clear()
            self._gathering, self._gathered = [], 0
            self._held -= dropped
            self._changed.notify_all()
            return dropped

    def _flush(self) -> None:
        self._ready.append(self._gathering)
        self._gathering, self._gathered = [], 0
        self._changed.notify_all()


def _memory(batch: Batch) -> int:
    return sum(trace.size + len(trace) * _BYTES_PER_SPAN for trace in batch)
