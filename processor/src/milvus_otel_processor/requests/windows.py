"""What happened to all requests in the last minutes: counts, durations and stages by series, in slices that can be added up."""

from __future__ import annotations

import struct
from array import array
from collections import defaultdict, deque
from itertools import chain
from math import ceil, log
from operator import add, attrgetter
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple, Self

from milvus_otel_processor.requests.record import STAGES
from milvus_otel_processor.requests.sketch import LONGEST, PER_LOG, SHORTEST, place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from milvus_otel_processor.requests.record import Record, Series

MINUTES = (1, 5, 60)
"""The windows that can be asked for."""

LIMIT = 24 << 20
"""Bytes that the slices of the past may take. Where so many series would take more, the oldest slices are forgotten."""

_SLICE_SECONDS = 10.0
_COARSER = ((12, 6), (10, 5))
"""Of slices of 10 s, when there are more than 12, the oldest 6 become one of a minute; of those, the oldest 5 one of five."""
_LONGEST_SECONDS = 60.0 * MINUTES[-1]
_MOST_WAITING = 512
"""Records that wait to be added up: many at a time cost less each."""
_HEAD = struct.Struct(f"<IIdd16s{len(STAGES)}d")
_PER_SERIES, _PER_OPEN_CELL, _PER_OPEN_BIN = 150, 700, 60
"""Bytes that either takes beside its content."""
_slowest = attrgetter("seconds")


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
        _, seconds, times, kept, *_ = zip(*records, strict=True)
        self.requests += len(records)
        self.seconds += sum(seconds)
        self.times = list(map(add, self.times, map(sum, zip(*times, strict=True))))
        bins = self.bins
        for one in seconds:
            bins[ceil(log(one) * PER_LOG) if SHORTEST < one < LONGEST else place(one)] += 1
        if any(kept):
            self.kept += sum(kept)
            slowest = max((record for record in records if record.kept), key=_slowest)
            self.note_kept(slowest.seconds, slowest.trace_id)

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


class Slice(NamedTuple):
    """A stretch of time that is over."""

    since: float
    """Seconds of the clock."""
    cells: Mapping[Series, bytes]
    """By series, each as `Cell.packed` returns it."""
    size: int
    """About how many bytes it takes."""

    @classmethod
    def of(cls, since: float, cells: Mapping[Series, Cell]) -> Self:
        """Return a slice with these cells."""
        packed = {series: cell.packed() for series, cell in cells.items()}
        return cls(since, packed, sum(map(len, packed.values())) + _PER_SERIES * len(packed))


class Window(NamedTuple):
    """The requests of some time up to now."""

    seconds: float
    """How long that time really is: up to a sixth more than was asked for; less where there is not so much to be told of."""
    slices: list[Slice]

    def cells(self) -> dict[Series, Cell]:
        """Return what happened to the requests of each series."""
        return _added_up(self.slices)


class Windows:
    """Takes in all requests, and tells of those of the last minutes; an `Observer`.

    `observe` only sets a record aside, and from time to time adds up those that wait. It never waits for who reads. `tick` is
    called every second or so, by a thread that does not hold the pipeline's lock. Bounded: slices of the past take `limit` bytes;
    the one of now has no more series than the records that come in, which are bounded where they are made.
    """

    def __init__(self, clock: Callable[[], float] = monotonic, limit: int = LIMIT) -> None:
        self._clock = clock
        self._limit = limit
        self._lock = Lock()
        self._waiting: deque[Record] = deque()
        self._open: dict[Series, Cell] = {}
        self._open_bins = 0
        self._opened = clock()
        self._ages: tuple[deque[Slice], ...] = (deque(), deque(), deque())
        """Slices of ten seconds, of a minute and of five, each oldest first."""
        self._size = 0

    def observe(self, record: Record) -> None:
        """See `Observer`."""
        self._waiting.append(record)
        if len(self._waiting) >= _MOST_WAITING and self._lock.acquire(blocking=False):
            try:
                self._add_up()
            finally:
                self._lock.release()

    def tick(self) -> None:
        """Begin a new slice when it is time."""
        with self._lock:
            self._turn(self._clock())

    def over(self, minutes: float) -> Window:
        """Return the requests of the last minutes."""
        with self._lock:
            now = self._clock()
            self._turn(now)
            self._add_up()
            slices = [Slice.of(self._opened, self._open)]
            for one in chain.from_iterable(map(reversed, self._ages)):
                if now - slices[-1].since >= 60 * minutes:
                    break
                slices.append(one)
        return Window(now - slices[-1].since, slices)

    def memory(self) -> int:
        """Return about how many bytes all of it takes; asked for with every request that comes in."""
        return self._size + _PER_OPEN_CELL * len(self._open) + _PER_OPEN_BIN * self._open_bins

    def give_way(self) -> None:
        """Forget the older half of the past."""
        with self._lock:
            self._forget(self._size // 2)

    def _add_up(self) -> None:
        """Add the records that wait to the slice of now; others may be added meanwhile."""
        waiting = self._waiting
        records: defaultdict[Series, list[Record]] = defaultdict(list)
        for _ in range(len(waiting)):
            record = waiting.popleft()
            records[record.series].append(record)
        for series, of_series in records.items():
            cell = self._open.get(series)
            if cell is None:
                cell = self._open[series] = Cell()
            before = len(cell.bins)
            cell.add_records(of_series)
            self._open_bins += len(cell.bins) - before

    def _turn(self, now: float) -> None:
        if now - self._opened < _SLICE_SECONDS:
            return
        self._add_up()
        self._keep(0, Slice.of(self._opened, self._open))
        self._open, self._open_bins, self._opened = {}, 0, now
        for age, (most, together) in enumerate(_COARSER):
            if len(self._ages[age]) > most:
                self._keep(age + 1, _merged([self._drop(age) for _ in range(together)]))
        oldest = self._ages[-1]
        while len(oldest) > 1 and now - oldest[1].since > _LONGEST_SECONDS:
            self._drop(len(self._ages) - 1)
        self._forget(self._limit)

    def _keep(self, age: int, one: Slice) -> None:
        self._ages[age].append(one)
        self._size += one.size

    def _drop(self, age: int) -> Slice:
        one = self._ages[age].popleft()
        self._size -= one.size
        return one

    def _forget(self, limit: int) -> None:
        for age in reversed(range(len(self._ages))):
            while self._size > limit and self._ages[age]:
                self._drop(age)


def _merged(slices: Sequence[Slice]) -> Slice:
    return Slice.of(slices[0].since, _added_up(slices))


def _added_up(slices: Iterable[Slice]) -> dict[Series, Cell]:
    cells: dict[Series, Cell] = defaultdict(Cell)
    for one in slices:
        for series, packed in one.cells.items():
            cells[series].add_packed(packed)
    return dict(cells)
