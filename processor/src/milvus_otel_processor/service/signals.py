"""Signals: SIGTERM and SIGINT ask the program to end, a late SIGINT ends it; SIGHUP asks it to load its files anew."""

from __future__ import annotations

import os
import signal
from threading import Event, Thread
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_ALL = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

IMPATIENT_AFTER_SECONDS = 2.0
"""A SIGINT that comes sooner after the first signal is taken for an echo of it."""


class Signals:
    """Waits for SIGTERM, SIGINT and SIGHUP in a thread of its own.

    Python's signal handlers run in the main thread, which may be busy in a call that does not return; and as the first
    process of a container the default action would not end it. A thread that waits can always act.

    Launchers (`uv run`, `timeout`, a terminal, a service manager) deliver one request to stop two or three times. So a repeat
    never shortens the time there is for stopping, with one exception: a person who presses Ctrl-C again, more than
    `IMPATIENT_AFTER_SECONDS` after the first signal.

    To be made in the main thread before other threads start: they inherit that these signals are not for them.
    """

    def __init__(
        self,
        *,
        on_hangup: Callable[[], object],
        on_impatience: Callable[[], object],
        clock: Callable[[], float] = monotonic,
        next_signal: Callable[[], int] | None = None,
        end: Callable[[int], object] = os._exit,
    ) -> None:
        self._asked = Event()
        self._on_hangup = on_hangup
        self._on_impatience = on_impatience
        self._clock = clock
        self._end = end
        if next_signal is None:
            signal.pthread_sigmask(signal.SIG_BLOCK, _ALL)
        self._next = next_signal or _wait_for_signal
        Thread(target=self._watch, name="signals", daemon=True).start()

    def wait(self) -> None:
        """Return when the first signal that ends the program has come."""
        self._asked.wait()

    def _watch(self) -> None:
        while (received := self._next()) == signal.SIGHUP:
            self._on_hangup()
        first = self._clock()
        self._asked.set()
        while received := self._next():
            if received == signal.SIGINT and self._clock() - first > IMPATIENT_AFTER_SECONDS:
                self._on_impatience()
                self._end(128 + signal.SIGINT)
                return


def _wait_for_signal() -> int:
    return signal.sigwait(_ALL)
