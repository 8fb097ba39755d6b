"""The two files of a capture: spans, and lines of Milvus' access log. What was in them stays until spans come in."""

from __future__ import annotations

import stat
from threading import Lock
from typing import IO, TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path

_MOST_HELD = 16 << 20
"""Bytes of lines that are held for the first spans; the files are begun when there are more."""


class CaptureFiles:
    """Files that are begun together, so that lines of one capture never lie beside the spans of another.

    Safe to be called from several threads; what comes when they are closed is passed over.
    """

    def __init__(self, spans: Path, lines: Path) -> None:
        self._spans, self._lines = _File(spans), _File(lines)
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._is_begun = self._is_closed = False
        self._lock = Lock()

    def __enter__(self) -> Self:
        """Open them for writing, and change nothing yet. Raises OSError where one cannot be written."""
        self._spans.open()
        try:
            self._lines.open()
        except OSError:
            self._spans.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Close them, and leave none that is empty where the capture was begun."""
        with self._lock:
            self._is_closed = True
            try:
                self._spans.close(is_begun=self._is_begun)
            finally:
                self._lines.close(is_begun=self._is_begun)

    @property
    def span_bytes(self) -> int:
        """How many bytes of spans were written."""
        return self._spans.size

    @property
    def line_bytes(self) -> int:
        """How many bytes of lines came in, written or held."""
        return self._lines.size + self._held_bytes

    def write_spans(self, content: bytes) -> None:
        """Write spans. Raises OSError."""
        with self._lock:
            if not self._is_closed:
                self._begin()
                self._spans.write(content)

    def write_lines(self, content: bytes) -> None:
        """Write lines, or hold them until there are spans. Raises OSError."""
        with self._lock:
            if self._is_closed:
                return
            self._held.append(content)
            self._held_bytes += len(content)
            if self._is_begun or self._held_bytes > _MOST_HELD:
                self._begin()

    def _begin(self) -> None:
        if not self._is_begun:
            self._is_begun = True
            self._spans.empty()
            self._lines.empty()
        held, self._held, self._held_bytes = self._held, [], 0
        for content in held:
            self._lines.write(content)


class _File:
    """One of them: opened as it is and emptied when it is written; one that is new is made when it is written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self._is_regular = False
        self.size = 0

    def open(self) -> None:
        try:
            self._is_regular = stat.S_ISREG(self._path.stat().st_mode)
            self._file = self._path.open("r+b" if self._is_regular else "wb")
        except FileNotFoundError:
            self._path.open("wb").close()  # so that what stands in the way of it is told now
            if not self._path.is_symlink():
                self._path.unlink()

    def empty(self) -> None:
        if self._is_regular and self._file is not None:
            self._file.truncate(0)

    def write(self, content: bytes) -> None:
        if self._file is None:
            self._file = self._path.open("wb")
            self._is_regular = True
        self._file.write(content)
        self._file.flush()
        self.size += len(content)

    def close(self, *, is_begun: bool = False) -> None:
        """Close it; what belongs to what was there before this capture was begun goes."""
        if self._file is None:
            return
        self._file.close()
        if is_begun and self._is_regular and not self.size:
            self._path.unlink(missing_ok=True)
