"""Requests on disk, from before they are acknowledged until all that they hold is decided, and exported or kept elsewhere."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from milvus_otel_processor.receiver.exports import RefusedForNowError
from milvus_otel_processor.storage.segments import Damage, SegmentLog, records
from milvus_otel_processor.telemetry.counters import Refused
from milvus_otel_processor.telemetry.paced import PacedLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from milvus_otel_processor.storage.segments import Place, Segment

_log = logging.getLogger(__name__)

NAME = "requests"
_SEGMENT_BYTES = 16 << 20
_SEGMENT_SECONDS = 1.0
"""After which a new file is begun: the shorter, the less comes twice after a restart."""
_SECONDS_BETWEEN_TRIES = 1.0


@dataclass(eq=False)
class _Use:
    """What of a segment is still needed."""

    under_way: int = 0
    """Requests in it that the pipeline is just taking in."""
    last: float = float("-inf")
    """When the last of its requests was taken in."""
    decided_at: int | None = None
    """How far the exporter's queue had come when all traces in it were decided; None before that."""


class Journal:
    """The log of requests.

    Requests lie in the order in which they came, and traces are decided about in that order, so whole segments are removed
    once everything in them is decided (`decided_until`) and what was kept is out (`is_out`, by what `position` said then).
    """

    def __init__(
        self,
        folder: Path,
        *,
        fsync: bool,
        has_room: Callable[[int], bool],
        clock: Callable[[], float],
        segment_bytes: int = _SEGMENT_BYTES,
    ) -> None:
        self.log = SegmentLog(folder, NAME, segment_bytes=segment_bytes, fsync=fsync)
        self._has_room = has_room
        self._clock = clock
        self._lock = Lock()
        self._uses: dict[Segment, _Use] = {segment: _Use() for segment in self.log.segments()}
        self._old = self.log.segments()
        self._failed_at: float | None = None
        self._failed_bytes = 0
        self._paced = PacedLog(_log, clock)
        self.damaged_bytes = 0
        """What could not be read of older files, beyond the torn ends that a killed process leaves."""

    def take(self, request: bytes, ingest: Callable[[bytes], int]) -> int:
        """Write a request down, hand it to `ingest`, and return what that returned.

        Raises RefusedForNowError where it cannot be written; nothing has been taken then.
        """
        if not request:
            return ingest(request)
        place = self._append(request)
        try:
            self._sync(place)
            return ingest(request)
        finally:
            with self._lock:
                use = self._uses[place.segment]
                use.under_way -= 1
                use.last = self._clock()

    def obstacle(self) -> RefusedForNowError | None:
        """Return why nothing can be taken now; None where it can, or where that has to be tried."""
        if not self._has_room(0):
            return RefusedForNowError(Refused.STORAGE_FULL, "the storage has reached max_size_mib")
        if self._failed_at is not None and self._clock() - self._failed_at < _SECONDS_BETWEEN_TRIES:
            return RefusedForNowError(Refused.STORAGE_FAILED, "the storage cannot be written to")
        return None

    @property
    def works(self) -> bool:
        """Whether the last request could be written down, and another may be."""
        return self._failed_at is None and self._has_room(0)

    @property
    def has_left(self) -> bool:
        """Whether there is anything left of an earlier process that was not taken in again yet."""
        return bool(self._old)

    def recovered(self) -> Iterator[bytes]:
        """Yield the requests that an earlier process left, in their order; each counts as taken in when the next is asked for."""
        for segment in self._old:
            for found in records(segment):
                if isinstance(found, Damage):
                    self._tell_damage(segment, found)
                    break
                yield found[1]
                self._uses[segment].last = self._clock()
            else:
                self._uses[segment].last = self._clock()
        self._old = []

    def forget(self, decided_until: float, position: Callable[[], int], is_out: Callable[[int], bool]) -> None:
        """Remove what is not needed any longer; to be called again and again, from one thread.

        All traces of which a span was taken in before `decided_until` are decided.
        """
        self.log.roll(self._clock() - _SEGMENT_SECONDS)
        self._probe()
        for segment in self.log.segments():
            if segment.is_open or segment in self._old:
                break
            with self._lock:
                use = self._uses[segment]
                done = not use.under_way and use.last < decided_until
            if not done:
                break
            if use.decided_at is None:
                use.decided_at = position()
            if not is_out(use.decided_at):
                break
            self.log.remove(segment)
            with self._lock:
                del self._uses[segment]

    def _append(self, request: bytes) -> Place:
        if not self._has_room(len(request)):
            raise RefusedForNowError(Refused.STORAGE_FULL, "the storage has reached max_size_mib")
        with self._lock:  # so that a segment is never found idle between the writing and the counting
            try:
                place = self.log.append(request, self._clock())
            except OSError as error:
                raise self._failed(error, len(request)) from None
            self._uses.setdefault(place.segment, _Use()).under_way += 1
        return place

    def _sync(self, place: Place) -> None:
        try:
            self.log.sync(place)
        except OSError as error:
            raise self._failed(error, place.size) from None
        if self._failed_at is not None:
            self._failed_at = None
            _log.info("the storage can be written to again")

    def _failed(self, error: OSError, size: int) -> RefusedForNowError:
        self._failed_at = self._clock()
        self._failed_bytes = size
        self._paced.tell(logging.ERROR, "the storage cannot be written to, requests are refused: %s", error)
        return RefusedForNowError(Refused.STORAGE_FAILED, "the storage cannot be written to")

    def _probe(self) -> None:
        """Find out whether a storage that failed works again, also where no sender asks because we are not ready."""
        if self._failed_at is None or self._clock() - self._failed_at < _SECONDS_BETWEEN_TRIES:
            return
        try:
            self.log.probe(self._failed_bytes)  # what is smaller may find room where that did not
        except OSError:
            self._failed_at = self._clock()
        else:
            self._failed_at = None
            _log.info("the storage can be written to again")

    def _tell_damage(self, segment: Segment, damage: Damage) -> None:
        if damage.torn and segment is self._old[-1]:
            _log.info("the last request in %s was not written to its end, and never acknowledged", segment.path.name)
            return
        self.damaged_bytes += damage.bytes
        message = "%s is damaged from byte %d on, what stood there is lost: bytes=%d"
        _log.error(message, segment.path, damage.offset, damage.bytes)
