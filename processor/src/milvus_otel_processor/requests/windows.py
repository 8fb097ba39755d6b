"""What happened to all requests in the last minutes: counts, durations and stages by series, in slices that can be added up."""

from __future__ import annotations

from collections import defaultdict, deque
from itertools import chain
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

from milvus_otel_processor.requests.cells import Cell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from milvus_otel_processor.requests.record import Series

MINUTES = (1, 5, 60)
"""The windows that can be asked for."""

LIMIT = 24 << 20
"""Bytes that the slices of the past may take. Where so many series would take more, the oldest slices are forgotten."""

_SLICE_SECONDS = 10.0
_COARSER = ((12, 6), (10, 5))
"""Of slices of 10 s, when there are more than 12, the oldest 6 become one of a minute; of those, the oldest 5 one of five."""
_LONGEST_SECONDS = 60.0 * MINUTES[-1]
_PER_SERIES = 150
"""Bytes that each takes in a slice beside its content."""


class Slices(Protocol):
    """Whoever counts requests in slices of time; see `counts.Counts`."""

    def count_slices(self, wanted: bool, /) -> None:
        """Count slices from now on, or no more."""

    def slice(self) -> Mapping[Series, bytes]:
        """Return what there was since the slice began."""

    def take_slice(self) -> Mapping[Series, bytes]:
        """Return the same, and begin another slice."""


class Slice(NamedTuple):
    """A stretch of time that is over."""

    since: float
    """Seconds of the clock."""
    cells: Mapping[Series, bytes]
    """By series, each as `Cell.packed` returns it."""
    size: int
    """About how many bytes it takes."""

    @classmethod
    def of(cls, since: float, cells: Mapping[Series, bytes]) -> Self:
        """Return a slice with these cells."""
        return cls(since, cells, sum(map(len, cells.values())) + _PER_SERIES * len(cells))


class Window(NamedTuple):
    """The requests of some time up to now."""

    seconds: float
    """How long that time really is: up to a sixth more than was asked for; less where there is not so much to be told of."""
    slices: list[Slice]

    def cells(self) -> dict[Series, Cell]:
        """Return what happened to the requests of each series."""
        return _added_up(self.slices)


class Windows:
    """Tells of all requests of the last minutes.

    `tick` is called every second or so, by a thread that does not hold the pipeline's lock. Bounded: slices of the past take
    `limit` bytes; the one of now has no more series than there may be.
    """

    def __init__(self, clock: Callable[[], float] = monotonic, limit: int = LIMIT) -> None:
        self._clock = clock
        self._limit = limit
        self._lock = Lock()
        self._slices: Slices | None = None
        self._opened = clock()
        self._ages: tuple[deque[Slice], ...] = (deque(), deque(), deque())
        """Slices of ten seconds, of a minute and of five, each oldest first."""
        self._size = 0

    def watch(self, slices: Slices) -> None:
        """Tell of what is counted here from now on; of nothing without it."""
        with self._lock:
            slices.count_slices(True)
            self._slices = slices

    @property
    def watches(self) -> bool:
        """Whether requests are counted at all."""
        return self._slices is not None

    def tick(self) -> None:
        """Begin a new slice when it is time."""
        with self._lock:
            self._turn(self._clock())

    def over(self, minutes: float) -> Window:
        """Return the requests of the last minutes."""
        with self._lock:
            now = self._clock()
            self._turn(now)
            slices = [Slice.of(self._opened, self._slices.slice() if self._slices is not None else {})]
            for one in chain.from_iterable(map(reversed, self._ages)):
                if now - slices[-1].since >= 60 * minutes:
                    break
                slices.append(one)
        return Window(now - slices[-1].since, slices)

    def memory(self) -> int:
        """Return about how many bytes the past takes; asked for with every request that comes in."""
        return self._size

    def give_way(self) -> None:
        """Forget the older half of the past."""
        with self._lock:
            self._forget(self._size // 2)

    def _turn(self, now: float) -> None:
        if now - self._opened < _SLICE_SECONDS:
            return
        self._keep(0, Slice.of(self._opened, self._slices.take_slice() if self._slices is not None else {}))
        self._opened = now
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
    return Slice.of(slices[0].since, {series: cell.packed() for series, cell in _added_up(slices).items()})


def _added_up(slices: Iterable[Slice]) -> dict[Series, Cell]:
    cells: dict[Series, Cell] = defaultdict(Cell)
    for one in slices:
        for series, packed in one.cells.items():
            cells[series].add_packed(packed)
    return dict(cells)
