"""The folder of the storage: made, checked, and locked against a second processor."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

_FORMAT = "1"
_LOCK, _FORMAT_FILE = "lock", "format"


class StorageError(Exception):
    """The folder cannot be used; the message says why, and what can be done."""


class Folder:
    """A folder that this process has for itself, until `close` or its end.

    The lock is the kernel's, on a file that stays: one that a killed process leaves behind locks nobody out.
    """

    def __init__(self, directory: str, *, create: bool) -> None:
        self.path = Path(directory)
        try:
            if create:
                self.path.mkdir(parents=True, exist_ok=True, mode=0o750)
            self._lock = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        except OSError as error:
            hint = "" if create else "; make it, or set create_directory: true"
            raise StorageError(f"cannot use the folder {directory}: {error.strerror}{hint}") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.read(self._lock, 32).decode("ascii", "replace").strip()
            os.close(self._lock)
            raise StorageError(
                f"the folder {directory} is in use by another processor (process {owner or 'unknown'}); give each one of its own"
            ) from None
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)
        self._check_format()

    def close(self) -> None:
        """Let another process have it."""
        os.close(self._lock)

    def _check_format(self) -> None:
        file = self.path / _FORMAT_FILE
        try:
            found = file.read_text(encoding="ascii", errors="replace").strip() if file.exists() else ""
            if not found:  # new, or the machine died while it was written
                file.write_text(f"{_FORMAT}\n", encoding="ascii")
                found = _FORMAT
        except OSError as error:
            os.close(self._lock)
            raise StorageError(f"cannot write to {file}: {error.strerror}") from None
        if found != _FORMAT:
            os.close(self._lock)
            raise StorageError(
                f"{file} says format {found[:20]!r}, this version knows {_FORMAT}: it was written by a newer one; start that, or "
                "let it finish before you go back"
            )
