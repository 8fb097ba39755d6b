"""Signals that end the program: the first asks it to, the second does it."""

from __future__ import annotations

import os
import signal
from threading import Event, Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

ENDING = (signal.SIGTERM, signal.SIGINT)


class EndingSignals:
    """Waits for SIGTERM and SIGINT in a thread of its own.

    Python's signal handlers run in the main thread, which may be busy in a call that does not return; and as the first
    process of a container the default action would not end it. A thread that waits can always act.

    To be made in the main thread before other threads start: they inherit that these signals are not for them.
    """

    def __init__(self, on_second: Callable[[signal.Signals], None]) -> None:
        self._asked = Event()
        self._on_second = on_second
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
        Thread(target=self._watch, name="signals", daemon=True).start()

    def wait(self) -> None:
        """Return when the first signal has come."""
        self._asked.wait()

    def _watch(self) -> None:
        signal.sigwait(ENDING)
        self._asked.set()
        second = signal.Signals(signal.sigwait(ENDING))
        self._on_second(second)
        os._exit(128 + second)
