"""Signals: of those that end the program the first asks it to and the second does it; SIGHUP asks it to load anew."""

from __future__ import annotations

import os
import signal
from threading import Event, Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_ALL = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Signals:
    """Waits for SIGTERM, SIGINT and SIGHUP in a thread of its own.

    Python's signal handlers run in the main thread, which may be busy in a call that does not return; and as the first
    process of a container the default action would not end it. A thread that waits can always act.

    To be made in the main thread before other threads start: they inherit that these signals are not for them.
    """

    def __init__(self, *, on_hangup: Callable[[], object], on_second: Callable[[signal.Signals], None]) -> None:
        self._asked = Event()
        self._on_hangup = on_hangup
        self._on_second = on_second
        signal.pthread_sigmask(signal.SIG_BLOCK, _ALL)
        Thread(target=self._watch, name="signals", daemon=True).start()

    def wait(self) -> None:
        """Return when the first signal that ends the program has come."""
        self._asked.wait()

    def _watch(self) -> None:
        self._ending()
        self._asked.set()
        second = self._ending()
        self._on_second(second)
        os._exit(128 + second)

    def _ending(self) -> signal.Signals:
        """Return the next signal that ends the program, and act on those before it."""
        while (received := signal.sigwait(_ALL)) == signal.SIGHUP:
            self._on_hangup()
        return signal.Signals(received)
