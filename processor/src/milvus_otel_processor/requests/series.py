"""What requests are counted under, each once, and no more of them than may be."""

from __future__ import annotations

from milvus_otel_processor.requests.record import OVERFLOW, Series

LONGEST = 255
"""Characters of a name: Milvus takes no longer ones for databases and collections (`proxy.maxNameLength`)."""


class SeriesTable:
    """All series that there are.

    `folded` counts the requests that found no room for a series of their own, or whose names are none that Milvus would take.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: dict[Series, Series] = {}
        self.folded = 0

    def __len__(self) -> int:
        return len(self._known)

    def of(self, series: Series) -> Series:
        """Return the one object for this series, or OVERFLOW where there is no room for another."""
        known = self._known.get(series)
        if known is not None:
            return known
        # A long text is looked up at the cost of its hash alone, and is never held.
        if len(self._known) < self._most and all(len(text) <= LONGEST and text.isprintable() for text in series):
            self._known[series] = series
            return series
        self.folded += 1
        return OVERFLOW
