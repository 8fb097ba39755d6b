"""Kept spans that wait to be sent, gathered into batches, and never more than fit."""

from __future__ import annotations

from collections import deque
from threading import Condition
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from milvus_otel_processor.exporter.settings import QueueSettings
    from milvus_otel_processor.spans.groups import Group

    Spans = list[tuple[Group, bytes]]


class SpanQueue:
    """A queue of spans that gives them out in batches: when enough are there, or the first has waited long enough.

    Its bound counts the spans that wait and those that were given out and not yet done with. Safe to be called from any thread.
    """

    def __init__(self, settings: QueueSettings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._clock = clock
        self._ready: deque[Spans] = deque()
        self._gathering: Spans = []
        self._flush_at = 0.0
        self._held = 0
        self._closed = False
        self._changed = Condition()

    def put(self, spans: Spans) -> bool:
        """Take spans over, all of them or, where they do not fit, none; tell which. Never waits for room."""
        with self._changed:
            if self._closed or self._held + len(spans) > self._settings.queue_size:
                return False
            self._held += len(spans)
            if not self._gathering:
                self._flush_at = self._clock() + self._settings.batch.flush_timeout
                self._changed.notify()
            self._gathering += spans
            if len(self._gathering) >= self._settings.batch.min_size:
                self._flush()
            return True

    def take(self) -> Spans | None:
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

    def done(self, spans: Spans) -> None:
        """Make room again: a batch that was taken is sent, or lost."""
        with self._changed:
            self._held -= len(spans)

    def close(self) -> None:
        """Take nothing more; what waits is still given out, at once."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def clear(self) -> int:
        """Forget what waits and return how many spans that was."""
        with self._changed:
            dropped = sum(map(len, self._ready)) + len(self._gathering)
            self._ready.clear()
            self._gathering = []
            self._held -= dropped
            return dropped

    def _flush(self) -> None:
        self._ready.append(self._gathering)
        self._gathering = []
        self._changed.notify()
