"""Keys of spans in files of their own, kept as long as the requests on disk that these are in."""

from __future__ import annotations

import errno
import logging
import os
from threading import Lock
from typing import TYPE_CHECKING

from milvus_otel_processor.telemetry.paced import PacedLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_log = logging.getLogger(__name__)

KEY_BYTES = 24
_SUFFIX = ".ids"
_FILE_BYTES = 1 << 20


class KeyLog:
    """Keys of `KEY_BYTES` bytes, in files whose names begin with `name`.

    `newest` tells the newest segment of requests, as it is when something is noted: that may be in it, and in those before. Nothing
    but what comes twice depends on it being whole. So it is not synced, and where it cannot be written the processor goes
    on, and says in the log what `missing` says. Safe to be called from any thread.
    """

    def __init__(self, folder: Path, name: str, newest: Callable[[], int], *, missing: str) -> None:
        self._folder, self._name, self._newest, self._missing = folder, name, newest, missing
        self._lock = Lock()
        self._files = sorted(folder.glob(f"{name}-*{_SUFFIX}"))
        self._needed_for: dict[Path, int] = dict.fromkeys(self._files, newest())
        self._next = int(self._files[-1].stem.rpartition("-")[2]) + 1 if self._files else 1
        self._written = _FILE_BYTES
        self._size = sum(file.stat().st_size for file in self._files)
        self._paced = PacedLog(_log)

    @property
    def size(self) -> int:
        """How much is on disk; bytes."""
        return self._size

    def put(self, keys: bytes) -> bool:
        """Note these, one behind the other; tell whether that could be done."""
        if not keys:
            return True
        with self._lock:
            try:
                self._append(keys)
            except OSError as error:
                self._paced.tell(logging.WARNING, f"{self._missing}: %s", error)
                return False
        return True

    def parts(self) -> Iterator[bytes]:
        """Yield what an earlier process noted, the newest part first; to be called before anything is put."""
        for file in reversed(self._files):
            try:
                content = file.read_bytes()
            except OSError:
                continue
            yield content[: len(content) - len(content) % KEY_BYTES]

    def forget(self, oldest_segment: int) -> None:
        """Remove what is about segments of requests before this one alone."""
        with self._lock:
            for file in [file for file in self._files if self._needed_for[file] < oldest_segment]:
                self._size -= file.stat().st_size if file.exists() else 0
                file.unlink(missing_ok=True)
                self._files.remove(file)
                del self._needed_for[file]
                self._written = _FILE_BYTES  # if it was the one that is written to

    def _append(self, keys: bytes) -> None:
        if self._written >= _FILE_BYTES:
            file = self._folder / f"{self._name}-{self._next:010}{_SUFFIX}"
            self._next += 1
            self._files.append(file)
            self._written = 0
        file = self._files[-1]
        self._needed_for[file] = self._newest()
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        try:
            size = os.fstat(descriptor).st_size
            written = os.write(descriptor, keys)
            if written < len(keys):
                os.ftruncate(descriptor, size)  # a part of a key would make all keys behind it others
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(descriptor)
        self._written += len(keys)
        self._size += len(keys)
