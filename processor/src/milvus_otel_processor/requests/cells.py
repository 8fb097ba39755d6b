"""What happened to the requests of one series in a slice of time, and few bytes that say the same."""

from __future__ import annotations

import struct
from array import array
from collections import defaultdict
from math import ceil, log
from operator import add, attrgetter
from typing import TYPE_CHECKING

from milvus_otel_processor.requests.record import STAGES
from milvus_otel_processor.requests.sketch import LONGEST, PER_LOG, SHORTEST, place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milvus_otel_processor.requests.record import Record

_HEAD = struct.Struct(f"<IIdd16s{len(STAGES)}d")
_slowest = attrgetter("nanoseconds")


class Cell:
    """What happened to the requests of one series."""

    __slots__ = ("bins", "kept", "requests", "seconds", "slowest_kept", "slowest_seconds", "times")

    def __init__(self) -> None:
        self.requests = 0
        self.kept = 0
        self.seconds = 0.0
        """Of all of them together."""
        self.times = [0.0] * len(STAGES)
        """Likewise, by stage."""
        self.bins: dict[int, int] = defaultdict(int)
        """How many there were by `sketch.place` of their duration."""
        self.slowest_kept = b""
        """The trace id of the slowest of those that were kept."""
        self.slowest_seconds = -1.0

    def add_records(self, records: Sequence[Record]) -> None:
        """Add requests of the series."""
        _, nanoseconds, times, kept, *_ = zip(*records, strict=True)
        self.requests += len(records)
        self.times = [
            before + sum(each) / 1e9 for before, each in zip(self.times, zip(*times, strict=True), strict=True)
        ]
        bins = self.bins
        for one in nanoseconds:
            seconds = one / 1e9
            self.seconds += seconds
            bins[ceil(log(seconds) * PER_LOG) if SHORTEST < seconds < LONGEST else place(seconds)] += 1
        if any(kept):
            self.kept += sum(kept)
            slowest = max((record for record in records if record.kept), key=_slowest)
            self.note_kept(slowest.nanoseconds / 1e9, slowest.trace_id)

    def note_kept(self, seconds: float, trace_id: bytes) -> None:
        """Remember this kept request, if it is the slowest of all."""
        if seconds > self.slowest_seconds:
            self.slowest_seconds, self.slowest_kept = seconds, trace_id

    def add(self, other: Cell) -> None:
        """Add the requests of another cell."""
        self.requests += other.requests
        self.kept += other.kept
        self.seconds += other.seconds
        self.times = list(map(add, self.times, other.times))
        self.note_kept(other.slowest_seconds, other.slowest_kept)
        for one, count in other.bins.items():
            self.bins[one] += count

    def add_packed(self, packed: bytes) -> None:
        """Add what `packed` returned."""
        requests, kept, seconds, slowest_seconds, slowest_kept, *times = _HEAD.unpack_from(packed)
        self.requests += requests
        self.kept += kept
        self.seconds += seconds
        self.times = list(map(add, self.times, times))
        self.note_kept(slowest_seconds, slowest_kept)
        size = (len(packed) - _HEAD.size) // 6
        places, counts = array("h"), array("I")
        places.frombytes(packed[_HEAD.size : _HEAD.size + 2 * size])
        counts.frombytes(packed[_HEAD.size + 2 * size :])
        bins = self.bins
        for one, count in zip(places, counts, strict=True):
            bins[one] += count

    def packed(self) -> bytes:
        """Return all of it in few bytes."""
        head = _HEAD.pack(self.requests, self.kept, self.seconds, self.slowest_seconds, self.slowest_kept, *self.times)
        return b"".join((head, array("h", self.bins).tobytes(), array("I", self.bins.values()).tobytes()))
