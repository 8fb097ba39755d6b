"""Kept spans on disk: batches that the exporter's peer has not taken yet, as the requests that they will be."""

from __future__ import annotations

import logging
import os
from threading import Lock
from typing import TYPE_CHECKING

from milvus_otel_processor.storage.segments import Damage, Place, SegmentLog, records
from milvus_otel_processor.telemetry.paced import PacedLog

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from milvus_otel_processor.storage.segments import Segment

_log = logging.getLogger(__name__)

NAME = "kept"
_SEGMENT_BYTES = 16 << 20
_DONE_SUFFIX = ".done"
_OFFSET_BYTES = 8


class Outbox:
    """A log of batches, of which each is marked when it is done with; files without any other are removed.

    The marks are offsets in a file beside the segment's. They are not synced: one that is lost with the machine's power makes a
    batch go out twice, nothing more. Safe to be called from any thread.
    """

    def __init__(
        self, folder: Path, *, fsync: bool, has_room: Callable[[int], bool], segment_bytes: int = _SEGMENT_BYTES
    ) -> None:
        self.log = SegmentLog(folder, NAME, segment_bytes=segment_bytes, fsync=fsync)
        self._has_room = has_room
        self._lock = Lock()
        self._left: dict[Segment, int] = {}
        self._paced = PacedLog(_log)
        self.damaged_bytes = 0
        """What could not be read of older files."""

    def put(self, request: bytes) -> Place | None:
        """Write a batch down and return where it is; None where there is no room, or it cannot be written."""
        if not self._has_room(len(request)):
            return None
        with self._lock:
            try:
                place = self.log.append(request)
            except OSError as error:
                self._paced.tell(
                    logging.ERROR, "the storage cannot be written to, kept spans stay in memory: %s", error
                )
                return None
            self._left[place.segment] = self._left.get(place.segment, 0) + 1
        try:
            self.log.sync(place)
        except OSError:
            self.done(place)
            return None
        return place

    def get(self, place: Place) -> bytes:
        """Return a batch. Raises OSError where it cannot be read."""
        return self.log.read(place)

    def done(self, place: Place) -> None:
        """Forget a batch."""
        segment = place.segment
        with self._lock:
            self._left[segment] -= 1
            if not self._left[segment]:
                del self._left[segment]
                self.log.remove(segment)
                _marks(segment).unlink(missing_ok=True)
                return
        try:
            descriptor = os.open(_marks(segment), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
            try:
                os.write(descriptor, place.offset.to_bytes(_OFFSET_BYTES, "big"))
            finally:
                os.close(descriptor)
        except OSError as error:  # it goes out twice if the process ends before the whole file is done with
            self._paced.tell(logging.WARNING, "a batch cannot be marked as sent: %s", error)

    def recovered(self) -> list[Place]:
        """Return the batches that an earlier process left; to be called once, before anything is put."""
        found: list[Place] = []
        for segment in self.log.segments():
            done = _done(segment)
            left = []
            for record in records(segment):
                if isinstance(record, Damage):
                    self._tell_damage(segment, record)
                elif record[0].offset not in done:
                    left.append(record[0])
            if left:
                self._left[segment] = len(left)
            else:
                self.log.remove(segment)
                _marks(segment).unlink(missing_ok=True)
            found += left
        return found

    def _tell_damage(self, segment: Segment, damage: Damage) -> None:
        # A batch that was not written to its end is still in the requests that it was made from.
        if not damage.torn:
            self.damaged_bytes += damage.bytes
            message = "%s is damaged from byte %d on, what stood there is lost: bytes=%d"
            _log.error(message, segment.path, damage.offset, damage.bytes)


def _marks(segment: Segment) -> Path:
    return segment.path.with_suffix(_DONE_SUFFIX)


def _done(segment: Segment) -> set[int]:
    try:
        marks = _marks(segment).read_bytes()
    except OSError:
        return set()
    whole = len(marks) - len(marks) % _OFFSET_BYTES
    return {int.from_bytes(marks[at : at + _OFFSET_BYTES], "big") for at in range(0, whole, _OFFSET_BYTES)}
