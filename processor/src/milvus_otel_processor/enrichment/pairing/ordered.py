"""What waits, in the order of its time: nearly all of it comes at the end, and goes at the front."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Generic, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")

_MANY = 256  # places at the front from which on it is worth the while to move the rest up


class Ordered(Generic[T]):
    """Items by their time. To take the first one away costs as little as to add a last one, however many there are."""

    __slots__ = ("_first", "_items", "_times")

    def __init__(self) -> None:
        self._times: list[int] = []
        self._items: list[T | None] = []
        self._first = 0

    def __len__(self) -> int:
        return len(self._items) - self._first

    def __iter__(self) -> Iterator[T]:
        return iter(cast("list[T]", self._items[self._first :]))

    def add(self, time: int, item: T) -> None:
        """Take an item in, behind those of the same time."""
        times = self._times
        if not times or time >= times[-1]:  # nearly always
            times.append(time)
            self._items.append(item)
        else:
            place = bisect_right(times, time, self._first)
            times.insert(place, time)
            self._items.insert(place, item)

    def remove(self, time: int, item: T) -> None:
        """Give up an item that was added with this time."""
        place = bisect_left(self._times, time, self._first)
        while self._items[place] is not item:
            place += 1
        if place != self._first:
            del self._times[place], self._items[place]
            return
        self._items[place] = None
        self._first += 1
        if self._first > _MANY and 2 * self._first > len(self._items):
            del self._times[: self._first], self._items[: self._first]
            self._first = 0

    def between(self, earliest: int, latest: int) -> list[T]:
        """Return the items of these times, both included, in their order."""
        times = self._times
        begin = bisect_left(times, earliest, self._first)
        return cast("list[T]", self._items[begin : bisect_right(times, latest, begin)])

    def count(self, earliest: int, latest: int) -> int:
        """Return how many items have these times, both included."""
        begin = bisect_left(self._times, earliest, self._first)
        return bisect_right(self._times, latest, begin) - begin
