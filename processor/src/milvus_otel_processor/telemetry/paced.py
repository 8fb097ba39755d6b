"""Lines that others can cause as often as they like, written no oftener than is good for the log."""

from __future__ import annotations

from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

PAUSE = 10.0
"""Seconds between two lines of one kind."""


class PacedLog:
    """Logs the first event of a kind at once, and then, every ten seconds at the most, one with how many were left out.

    Kinds are few and fixed: they are the format strings in the code. Safe to be called from any thread.
    """

    def __init__(self, log: logging.Logger, clock: Callable[[], float] = monotonic) -> None:
        self._log = log
        self._clock = clock
        self._lock = Lock()
        self._quiet_until: dict[str, float] = {}
        self._left_out: dict[str, int] = {}

    def tell(self, level: int, message: str, *arguments: object) -> None:
        """Log `message % arguments`, or leave it out and count it."""
        now = self._clock()
        with self._lock:
            if now < self._quiet_until.get(message, now):
                self._left_out[message] = self._left_out.get(message, 0) + 1
                return
            self._quiet_until[message] = now + PAUSE
            left_out = self._left_out.pop(message, 0)
        if left_out:
            self._log.log(level, f"{message} not_logged=%d", *arguments, left_out)
        else:
            self._log.log(level, message, *arguments)
