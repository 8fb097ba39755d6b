"""Reads the files of a configuration, whatever they turn out to be: never more than fits, never waiting for good."""

from __future__ import annotations

import os
import select
from contextlib import suppress
from stat import S_ISCHR, S_ISDIR, S_ISFIFO, S_ISREG
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

LARGEST = 4 << 20
"""Bytes; a configuration is a few kilobytes."""
_PIPE_SECONDS = 5.0


class FileError(Exception):
    """A file cannot be read as a configuration; the message says why."""


def content(path: Path) -> bytes:
    """Return a file's content; of a pipe what its writer sends within five seconds. Raises FileError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise FileError(error.strerror if isinstance(error, OSError) else str(error)) from None
    try:
        return _read(descriptor)
    except OSError as error:
        raise FileError(error.strerror) from None
    finally:
        os.close(descriptor)


def fingerprint(path: Path) -> object | None:
    """Return what changes with a file's content; None where there is no file, or it is no regular one."""
    try:
        status = path.stat()
        if not S_ISREG(status.st_mode):
            return None
        if status.st_size > LARGEST:  # it will not be read either
            return status.st_size, status.st_mtime_ns
        return content(path)
    except (OSError, ValueError, FileError):
        return None


def _read(descriptor: int) -> bytes:
    status = os.fstat(descriptor)
    if S_ISDIR(status.st_mode):
        raise FileError("it is a folder, expected a file")
    if S_ISREG(status.st_mode) and status.st_size > LARGEST:
        raise FileError(f"it has {status.st_size} bytes, more than a configuration may, {LARGEST}")
    if not (S_ISREG(status.st_mode) or S_ISFIFO(status.st_mode) or S_ISCHR(status.st_mode)):
        raise FileError("it is no file that can be read from its beginning to its end")
    parts, size, until = [], 0, monotonic() + _PIPE_SECONDS
    while part := _next(descriptor, until, may_wait=not S_ISREG(status.st_mode)):
        parts.append(part)
        size += len(part)
        if size > LARGEST:
            raise FileError(f"it has more bytes than a configuration may, {LARGEST}")
    return b"".join(parts)


def _next(descriptor: int, until: float, *, may_wait: bool) -> bytes:
    while may_wait:
        poll = select.poll()
        with suppress(OSError):
            poll.register(descriptor, select.POLLIN)
        left = until - monotonic()
        if left <= 0 or not (events := poll.poll(left * 1000)):
            raise FileError("nobody writes to it")
        if events[0][1] & (select.POLLIN | select.POLLHUP):
            break
    return os.read(descriptor, 1 << 16)
