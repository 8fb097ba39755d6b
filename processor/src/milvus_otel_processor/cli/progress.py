"""Progress, for what takes longer than a second: on stderr, where that is a terminal."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import TextIO

    from milvus_otel_processor.replay.recording import Message

_BEGIN, _EVERY = 1.0, 0.2  # seconds
_CLEAR = "\r\x1b[K"
_MB = 1e6


class Progress:
    """How much of recorded traffic was read."""

    def __init__(self, out: TextIO, clock: Callable[[], float] = monotonic) -> None:
        self._out = out if out.isatty() else None
        self._clock = clock
        self._next = clock() + _BEGIN
        self._bytes = 0
        self._requests = 0
        self._shown = False

    def watch(self, recording: Iterable[Message]) -> Iterator[Message]:
        """Yield the messages of a recording, and show now and then how far it has come."""
        for message in recording:
            self._bytes += len(message.request)
            self._requests += 1
            if self._out is not None and self._clock() >= self._next:
                self._show(self._out)
            yield message

    def end(self) -> None:
        """Take it away."""
        if self._shown and self._out is not None:
            self._out.write(_CLEAR)
            self._out.flush()

    def _show(self, out: TextIO) -> None:
        self._next = self._clock() + _EVERY
        self._shown = True
        out.write(f"{_CLEAR}{self._requests:,} requests read, {self._bytes / _MB:,.0f} MB …")
        out.flush()


@contextmanager
def progress() -> Iterator[Progress]:
    """Show progress while the block runs."""
    shown = Progress(sys.stderr)
    try:
        yield shown
    finally:
        shown.end()
