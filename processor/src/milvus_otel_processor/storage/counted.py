"""Which requests an earlier process has counted, and shown, of those that are still on disk: so that they do not count twice."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from milvus_otel_processor.storage.keys import KEY_BYTES, KeyLog

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from milvus_otel_processor.requests.repeated import Repeats

_MOST_RECOVERED = 500_000 * KEY_BYTES
"""Of as many requests. Those that were counted before these count twice."""
_MOST_PENDING = 1 << 20
"""Bytes of keys that wait in memory for a reader."""


class CountedLog(KeyLog):
    """The ids of Milvus' spans of requests that are counted, written when somebody reads the counts.

    A new process counts from 0. So what a reader was shown may not count again; what nobody was shown has to.
    """

    def __init__(self, folder: Path, newest: Callable[[], int]) -> None:
        super().__init__(
            folder, "counted", newest, missing="what was counted cannot be noted, after a crash it counts twice"
        )
        self._repeats: Repeats | None = None
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._pending_lock = Lock()

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
        with self._pending_lock:
            keys = self._repeats.noted()
            self._pending.append(keys)
            self._pending_bytes += len(keys)
            is_much = self._pending_bytes > _MOST_PENDING
        if is_much:
            self.shown()

    def shown(self) -> None:
        """Note that all that was counted up to now is shown to somebody, or about to be."""
        if self._repeats is None:
            return
        with self._pending_lock:
            keys = b"".join([*self._pending, self._repeats.noted()])
            self._pending.clear()
            self._pending_bytes = 0
            self.put(keys)

    def forget_recovered(self) -> None:
        """Have it forget what an earlier process has counted: none of that is on disk any more."""
        if self._repeats is not None:
            self._repeats.note(b"")
