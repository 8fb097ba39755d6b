"""What requests are counted under, each once, and no more of them than may be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milvus_otel_processor.requests.record import OVERFLOW, Series

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST = 255
"""Characters of a name: Milvus takes no longer ones for databases and collections (`proxy.maxNameLength`)."""


MOST_PATHS: Final = 100
"""Operations that are paths of REST: Milvus has some fifty that no method of gRPC stands for."""
OTHER: Final = "_OTHER"
"""The operation of requests with further paths, as OpenTelemetry's conventions name what is unknown: anybody can ask for any."""


class SeriesTable:
    """All series that there are, each with a number: 0 is OVERFLOW, and there are no gaps.

    Their stages are counted by group: those of series with the same database, collection and operation, numbered likewise.
    `introduce` is called with the group of each new series, in their order; not with that of OVERFLOW, which is 0. `folded` counts
    the requests that found no room for a series of their own, or whose names are none that Milvus would take.
    """

    def __init__(self, most: int, introduce: Callable[[int], object] = lambda _: None) -> None:
        self._most = most
        self._introduce = introduce
        self._numbers = {OVERFLOW: 0}
        self._groups: dict[tuple[str, str, str], int] = {OVERFLOW[:3]: 0}
        self.all: list[Series] = [OVERFLOW]
        """By number."""
        self.groups: list[tuple[str, str, str]] = [OVERFLOW[:3]]
        """Likewise: database, collection and operation."""
        self.folded = 0
        self._paths: set[str] = set()

    def __len__(self) -> int:
        return len(self.all) - 1

    def number(self, series: Series) -> int:
        """Return the number of this series, or that of OVERFLOW where there is no room for another."""
        known = self._numbers.get(series)
        if known is not None:
            return known
        if series.operation[:1] == "/" and not self._takes_path(series.operation):
            return self.number(series._replace(operation=OTHER))
        # A long text is looked up at the cost of its hash alone, and is never held.
        if len(self) < self._most and all(len(text) <= LONGEST and text.isprintable() for text in series):
            return self._add(series)
        self.folded += 1
        return 0

    def _takes_path(self, path: str) -> bool:
        if len(self._paths) < MOST_PATHS and len(path) <= LONGEST:
            self._paths.add(path)
        return path in self._paths

    def _add(self, series: Series) -> int:
        group = self._groups.setdefault(series[:3], len(self.groups))
        if group == len(self.groups):
            self.groups.append(series[:3])
        number = self._numbers[series] = len(self.all)
        self.all.append(series)
        self._introduce(group)
        return number
