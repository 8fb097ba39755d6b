"""Tells of faults of this program that may come with every trace, without a traceback for every trace."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable
    from types import CodeType

    Kind = tuple[type[BaseException], CodeType | None, int]

_PAUSE = 10.0
"""Seconds between two lines about the same fault."""


class FaultLog:
    """Logs a fault with its traceback the first time, then with one line that counts, every ten seconds at the most.

    A fault is the same where the same kind of exception comes from the same line of code.
    """

    def __init__(self, log: logging.Logger, clock: Callable[[], float]) -> None:
        self._log = log
        self._clock = clock
        self._times: dict[Kind, int] = {}
        self._quiet_until: dict[Kind, float] = {}

    def tell(self, error: Exception, message: str, *arguments: object) -> None:
        """Log, at level ERROR, `message % arguments` and the error."""
        kind = _kind(error)
        times = self._times[kind] = self._times.get(kind, 0) + 1
        now = self._clock()
        if times == 1:
            self._log.error(message, *arguments, exc_info=error)
        elif now >= self._quiet_until[kind]:
            told = "%s: %s; %d times so far, the first time with a traceback"
            self._log.error(f"{message}: {told}", *arguments, type(error).__name__, error, times)
        else:
            return
        self._quiet_until[kind] = now + _PAUSE


def _kind(error: Exception) -> Kind:
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    return type(error), at.tb_frame.f_code if at is not None else None, at.tb_lineno if at is not None else 0
