"""A table that leaves out columns where the terminal is narrow, before a name in it can no longer be read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from rich import box
from rich.table import Table

from milvus_otel_processor.columns import cut, shared, widest

if TYPE_CHECKING:
    from collections.abc import Sequence

_BESIDE, _EDGE = 3, 1
"""Columns of the screen that the box takes for each column of the table, and once (`rich.box.SIMPLE_HEAD`, padding 1)."""


class Words(NamedTuple):
    """A column of names or sentences: what is longer goes on in the next line, down to so many columns of the screen."""

    title: str
    least: int


@dataclass
class Grid:
    """What stands in a table. A column that is a text alone has that title, and figures, or ids, that are never cut."""

    columns: Sequence[Words | str]
    left_out: Sequence[str]
    """Titles of the columns that give way, the first of them first."""
    rows: list[Sequence[str] | None] = field(default_factory=list)
    """A None is where a section begins. Cells that miss at a row's end are empty."""
    footer: Sequence[str] = ()
    is_left: Sequence[str] = ()
    """Titles of figures, or ids, that begin below their title's begin."""

    def shown(self, width: int) -> list[str]:
        """Return the titles of the columns that there is room for."""
        return [_title(self.columns[place]) for place in self._places(width)]

    def table(self, width: int) -> Table:
        """Return it as it fits into so many columns of the screen."""
        places = self._places(width)
        widths = self._widths(places, width)
        table = Table(box=box.SIMPLE_HEAD, show_footer=bool(self.footer))
        for place in places:
            column, footer = self.columns[place], _at(self.footer, place)
            if isinstance(column, Words):
                title, footer = self._words(column.title, place, widths), self._words(footer, place, widths)
                table.add_column(title, footer, width=widths[place], overflow="fold")
            else:
                side = "left" if column in self.is_left else "right"
                table.add_column(column, footer, justify=side, no_wrap=True)  # type: ignore[arg-type] # one of the two
        for row in self.rows:
            if row is None:
                table.add_section()
            elif self._tells(row, places):
                table.add_row(*(self._words(_at(row, place), place, widths) for place in places))
        return table

    def _tells(self, row: Sequence[str], places: list[int]) -> bool:
        """Tell whether any of a row's figures is shown, if it has some."""
        figures = {place for place, text in enumerate(row) if text and not isinstance(self.columns[place], Words)}
        return not figures or not figures.isdisjoint(places)

    def _words(self, text: str, place: int, widths: dict[int, int]) -> str:
        return cut(text, widths[place]) if widths.get(place, self._least(place)) < self._least(place) else text

    def _places(self, width: int) -> list[int]:
        places = list(range(len(self.columns)))
        for title in self.left_out:
            if self._needed(places) <= width:
                break
            places = [place for place in places if _title(self.columns[place]) != title]
        return places

    def _needed(self, places: list[int]) -> int:
        return sum(map(self._least, places)) + _BESIDE * len(places) + _EDGE

    def _cells(self, place: int) -> list[str]:
        return [_at(row, place) for row in (*filter(None, self.rows), self.footer)]

    def _widest_cell(self, place: int) -> int:
        return widest(self._cells(place))

    def _wanted(self, place: int) -> int:
        return max(widest([_title(self.columns[place])]), self._widest_cell(place))

    def _least(self, place: int) -> int:
        column = self.columns[place]
        if isinstance(column, Words):  # the title goes on in the next line, too
            return min(column.least, widest([*column.title.split(), *self._cells(place)]))
        return self._wanted(place)

    def _widths(self, places: list[int], width: int) -> dict[int, int]:
        """Return how wide columns of words are: each has the least that will do, then the first what its cells want, and so on."""
        words = [place for place in places if isinstance(self.columns[place], Words)]
        left = width - self._needed(places)
        if left < 0:
            least = [self._least(place) for place in words]
            return dict(zip(words, shared(max(len(words), sum(least) + left), least), strict=True))
        found = {place: self._least(place) for place in words}
        for wants in (self._widest_cell, self._wanted):  # what is above all names may go on in the next line
            for place in words:
                more = max(0, min(left, wants(place) - found[place]))
                found[place] += more
                left -= more
        return found


def _title(column: Words | str) -> str:
    return column.title if isinstance(column, Words) else column


def _at(cells: Sequence[str], place: int) -> str:
    return cells[place] if place < len(cells) else ""
