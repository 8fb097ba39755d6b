"""A log in files: records are appended to the newest, and files are removed as a whole.

A record is its size, four bytes, the highest first, and the message: the `proto` format of the Collector's file exporter, so
that each file is a recording that `milvus-otel replay` reads.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZE_BYTES = 4
_LARGEST_RECORD = 1 << 30
_SUFFIX = ".binpb"
_PROBE_BYTES = 4096


@dataclass(eq=False)
class Segment:
    """One file of a log."""

    number: int
    path: Path
    size: int = 0
    """Its whole records; bytes."""
    file: int = -1
    """Its descriptor while it is written to."""
    synced: int = 0
    sync_lock: Lock = field(default_factory=Lock)
    opened_at: float = 0.0

    @property
    def is_open(self) -> bool:
        """Whether records are still appended to it."""
        return self.file >= 0


@dataclass(frozen=True)
class Place:
    """Where a record is."""

    segment: Segment
    offset: int
    """Of its message; bytes."""
    size: int


class SegmentLog:
    """The segments `<name>-<number>.binpb` of a folder. Safe to be called from any thread."""

    def __init__(self, folder: Path, name: str, *, segment_bytes: int, fsync: bool) -> None:
        self._folder = folder
        self._name = name
        self._segment_bytes = segment_bytes
        self._fsync = fsync
        self._lock = Lock()
        self._segments = self._found()
        self._next = self._segments[-1].number + 1 if self._segments else 1
        self._current: Segment | None = None
        self.bytes = sum(segment.size for segment in self._segments)
        """The size of all files."""

    @property
    def newest(self) -> int:
        """The number of the newest segment that was begun; 0 before the first."""
        return self._next - 1

    def append(self, message: bytes, now: float = 0.0) -> Place:
        """Append a record; it then survives the end of the process, and once `sync` has returned that of the machine.

        Raises OSError where it cannot be written, and has then left no part of it.
        """
        with self._lock:
            segment = self._current
            if segment is None or segment.size >= self._segment_bytes:
                segment = self._begin(now)
            place = Place(segment, segment.size + SIZE_BYTES, len(message))
            self._write(segment, (len(message).to_bytes(SIZE_BYTES, "big"), message))
            segment.size += SIZE_BYTES + len(message)
            self.bytes += SIZE_BYTES + len(message)
            return place

    def sync(self, place: Place) -> None:
        """Return when a record is on the disk, if `fsync` is asked for. Raises OSError where that fails."""
        if not self._fsync:
            return
        segment = place.segment
        # Those that wait here together are synced by the first of them.
        with segment.sync_lock:
            if segment.is_open and segment.synced < place.offset + place.size:
                written = segment.size
                os.fdatasync(segment.file)
                segment.synced = written

    def probe(self, size: int = 0) -> None:
        """Raise OSError where a record of this size, or a small one, could not be written now."""
        with self._lock:
            segment = self._current or self._begin(0.0)
            self._write(segment, (bytes(max(size, _PROBE_BYTES)),))
            os.ftruncate(segment.file, segment.size)

    def roll(self, older_than: float) -> None:
        """Append to a new file from now on, if there is one that was begun before `older_than` and is not empty."""
        with self._lock:
            segment = self._current
            if segment is not None and segment.size and segment.opened_at < older_than:
                self._end(segment)

    def segments(self) -> list[Segment]:
        """Return all segments, the oldest first."""
        with self._lock:
            return list(self._segments)

    def remove(self, segment: Segment) -> None:
        """Remove a segment with all that is in it."""
        with self._lock:
            if segment.is_open:
                self._end(segment)
            segment.path.unlink(missing_ok=True)
            self._segments.remove(segment)
            self.bytes -= segment.size

    def read(self, place: Place) -> bytes:
        """Return a record. Raises OSError where it cannot be read as it was written."""
        with place.segment.path.open("rb") as file:
            file.seek(place.offset)
            message = file.read(place.size)
        if len(message) != place.size:
            raise OSError(f"{place.segment.path} is shorter than it was")
        return message

    def close(self) -> None:
        """Stop writing."""
        with self._lock:
            if self._current is not None:
                self._end(self._current)

    def _found(self) -> list[Segment]:
        found = []
        for path in self._folder.glob(f"{self._name}-*{_SUFFIX}"):
            number = path.name[len(self._name) + 1 : -len(_SUFFIX)]
            if number.isdecimal():
                found.append(Segment(int(number), path, path.stat().st_size))
        return sorted(found, key=lambda segment: segment.number)

    def _begin(self, now: float) -> Segment:
        if self._current is not None:
            self._end(self._current)
        path = self._folder / f"{self._name}-{self._next:010}{_SUFFIX}"
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o640)
        self._next += 1
        self._current = Segment(self._next - 1, path, file=file, opened_at=now)
        self._segments.append(self._current)
        if self._fsync:
            _sync_folder(self._folder)
        return self._current

    def _end(self, segment: Segment) -> None:
        with segment.sync_lock:
            if self._fsync:
                os.fdatasync(segment.file)
            os.close(segment.file)
            segment.file, segment.synced = -1, segment.size
        self._current = None

    @staticmethod
    def _write(segment: Segment, parts: tuple[bytes, ...]) -> None:
        try:
            _write(segment.file, parts)
        except OSError:
            os.ftruncate(segment.file, segment.size)
            raise


@dataclass(frozen=True)
class Damage:
    """That a segment could not be read to its end: from where on, and how many bytes there were."""

    offset: int
    bytes: int
    torn: bool
    """Whether all there is could be the beginning of one record: what a process leaves that died while it wrote it."""


def records(segment: Segment) -> Iterator[tuple[Place, bytes] | Damage]:
    """Yield the records of a segment, with their places; last, if there is more that is none, a Damage."""
    end = segment.path.stat().st_size
    with segment.path.open("rb") as file:
        offset = 0
        while offset < end:
            head = file.read(SIZE_BYTES)
            size = int.from_bytes(head, "big")
            rest = end - offset - SIZE_BYTES
            if len(head) < SIZE_BYTES or not 0 < size <= min(rest, _LARGEST_RECORD):
                torn = len(head) < SIZE_BYTES or rest < size <= _LARGEST_RECORD
                yield Damage(offset, end - offset, torn)
                return
            yield Place(segment, offset + SIZE_BYTES, size), file.read(size)
            offset += SIZE_BYTES + size


def _write(file: int, parts: tuple[bytes, ...]) -> None:
    written = os.writev(file, parts)
    if written == sum(map(len, parts)):
        return
    rest = memoryview(b"".join(parts))[written:]
    while rest:
        rest = rest[os.write(file, rest) :]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
