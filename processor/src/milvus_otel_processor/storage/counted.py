"""Which requests an earlier process has counted, and shown, of those that are still on disk: so that they do not count twice."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from milvus_otel_processor.storage.keys import KEY_BYTES, KeyLog

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from milvus_otel_processor.requests.repeated import Repeats

T = TypeVar("T")

_MOST_RECOVERED = 500_000 * KEY_BYTES
"""Of as many requests. Those that were counted before these count twice."""
_MOST_PENDING = 4 << 20
"""Bytes of keys that wait in memory for a reader; beyond them all count as shown, and so once at the most."""


class CountedLog(KeyLog):
    """The ids of Milvus' spans of requests that are counted, written before somebody is shown the counts.

    A new process counts from 0. So what a reader was shown may not count again; what nobody was shown has to.
    """

    def __init__(self, folder: Path, newest: Callable[[], int]) -> None:
        super().__init__(
            folder, "counted", newest, missing="what was counted cannot be noted, after a crash it counts twice"
        )
        self._repeats: Repeats | None = None
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._reading = Lock()

    def follow(self, repeats: Repeats) -> None:
        """Tell it what an earlier process has counted, and note from now on what it counts."""
        found: list[bytes] = []
        room = _MOST_RECOVERED
        for part in self.parts():
            found.append(part[-room:] if room else b"")
            room -= len(found[-1])
        repeats.note(b"".join(found))
        self._repeats = repeats

    def gather(self) -> None:
        """Take over what was counted; write it where much is waiting. To be called again and again."""
        if self._repeats is None:
            return
        with self._reading:
            self._wait(self._repeats.noted())
            if self._pending_bytes > _MOST_PENDING:
                self._write()

    def shown(
        self, read: Callable[[], T], undisturbed: Callable[[Callable[[], tuple[T, bytes]]], tuple[T, bytes]]
    ) -> T:
        """Return what `read` returns, when all that was counted up to then is noted: somebody is about to be shown it.

        `undisturbed` calls what it is given while nothing is counted. Readers wait for each other: what one of them shows may be
        what another one notes.
        """
        repeats = self._repeats
        if repeats is None:
            return read()
        with self._reading:
            found, keys = undisturbed(lambda: (read(), repeats.noted()))
            self._wait(keys)
            self._write()
        return found

    def _wait(self, keys: bytes) -> None:
        if keys:
            self._pending.append(keys)
            self._pending_bytes += len(keys)

    def _write(self) -> None:
        """Note what waits; what cannot be written now waits on, up to the bound."""
        if self.put(b"".join(self._pending)) or self._pending_bytes > _MOST_PENDING:
            self._pending.clear()
            self._pending_bytes = 0

    def forget_recovered(self) -> None:
        """Have it forget what an earlier process has counted: none of that is on disk any more."""
        if self._repeats is not None:
            self._repeats.note(b"")
