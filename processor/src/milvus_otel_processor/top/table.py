"""Requests as a table: a row for each collection and operation, or for what else they are grouped by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich.cells import cell_len
from rich.console import Group
from rich.table import Table
from rich.text import Text

from milvus_otel_processor.requests.record import OVERFLOW

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import RenderableType

COLUMNS: Final = {
    "per_second": "req/s",
    "requests": "requests",
    "errors": "errors",
    "p50_ms": "p50",
    "p95_ms": "p95",
    "p99_ms": "p99",
    "share": "time",
    "kept": "kept",
}
"""The columns with numbers, and their titles; durations are milliseconds, `share` is of the time of all requests."""

_GAP = 2
_LONGEST_NAME, _SHORTEST_NAME = 40, 12
_LONGEST_STAGES, _SHORTEST_STAGES = 60, 22
_LEFT_OUT = ("p95_ms", "kept", "per_second")
"""Columns without which a narrow table does, the first of them first."""
_STAGES_SHOWN, _LEAST_SHARE = 3, 0.05
_OTHERS = "(all others)"
_NONE = "-"


def table(
    rows: Sequence[Mapping[str, Any]], by: Sequence[str], width: int, sort: str = "", *, rate: bool = True
) -> Table:
    """Return the rows of a summary (`requests.summary`), as wide as said; without `rate` how many a second is left out.

    Numbers are never cut: names are, then columns are left out.
    """
    names = {key: [name_of(key, row) for row in rows] for key in by}
    numbers = {name: [_number(name, row) for row in rows] for name in COLUMNS if rate or name != "per_second"}
    widths = _widths_of_names(names, numbers, width)
    left = width - sum(widths) - sum(_widest(COLUMNS[name], cells) for name, cells in numbers.items())
    left -= _GAP * (len(names) + len(numbers))
    shown = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="dim")
    for key, columns in zip(by, widths, strict=True):
        shown.add_column(Text(key.replace("_", " ")), width=columns, overflow="ellipsis", no_wrap=True)
    for name in numbers:
        is_sorted_by = name == ("share" if sort == "total_ms" else sort)
        shown.add_column(
            Text(COLUMNS[name], style="bold reverse" if is_sorted_by else ""), justify="right", no_wrap=True
        )
    where = [stages(row) for row in rows] if left >= _SHORTEST_STAGES else None
    if where is not None:
        shown.add_column("where it went", width=min(left, _LONGEST_STAGES), overflow="ellipsis", no_wrap=True)
    for index, row in enumerate(rows):
        cells: list[Text | str] = [
            *(column[index] for column in names.values()),
            *(column[index] for column in numbers.values()),
            *([where[index]] if where is not None else []),
        ]
        shown.add_row(*cells, style="red" if _fails(row) else None)
    return shown


def _widths_of_names(names: dict[str, list[Text]], numbers: dict[str, list[str]], width: int) -> list[int]:
    """Return how wide the columns of names are; takes columns out of `numbers` where there is no room for them."""
    wanted = [min(_LONGEST_NAME, _widest(key, [name.plain for name in cells])) for key, cells in names.items()]
    least = sum(min(_SHORTEST_NAME, each) for each in wanted) + _GAP * len(wanted) + _SHORTEST_STAGES
    used = {name: _GAP + _widest(COLUMNS[name], cells) for name, cells in numbers.items()}
    for name in _LEFT_OUT:
        if sum(used.values()) + least <= width:
            break
        used.pop(name, None)
        numbers.pop(name, None)
    free = width - sum(used.values()) - _GAP * len(wanted)
    return _shared(max(len(wanted), free - _SHORTEST_STAGES), wanted)


def _widest(title: str, cells: Sequence[str]) -> int:
    return max(map(cell_len, (title, *cells)))


def _shared(width: int, wanted: list[int]) -> list[int]:
    """Return how wide columns are that want to be so wide, where all together have so much: those that want least get it first."""
    given = [0] * len(wanted)
    for done, index in enumerate(sorted(range(len(wanted)), key=wanted.__getitem__)):
        given[index] = min(wanted[index], width // (len(wanted) - done))
        width -= given[index]
    return given


def hints(rows: Sequence[Mapping[str, Any]], by: Sequence[str]) -> RenderableType:
    """Return what it means where one stage took most of the time of a row; each sentence once, with the rows it is about."""
    about: dict[str, list[str]] = {}
    for row in rows:
        if row.get("hint"):
            about.setdefault(row["hint"], []).append(" ".join(name_of(key, row).plain for key in by if row[key]))
    return Group(*(Text.assemble((", ".join(names), "bold"), f": {words}") for words, names in about.items()))


def name_of(key: str, row: Mapping[str, Any]) -> Text:
    """Return the value of a key, on one line."""
    value = str(row[key])
    if key == "collection" and value == OVERFLOW.collection:
        return Text(_OTHERS, style="dim")
    return Text("".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in value) or _NONE)


def stages(row: Mapping[str, Any]) -> str:
    """Return the stages that took most of the time, each with its share: `wait 95%, core 4%`."""
    spent: Mapping[str, float] = row["stages_ms"]
    total = sum(spent.values())
    if total <= 0:
        return _NONE
    longest = sorted(spent.items(), key=lambda one: -one[1])[:_STAGES_SHOWN]
    return ", ".join(
        f"{name.replace('_', ' ')} {time / total:.0%}" for name, time in longest if time >= _LEAST_SHARE * total
    )


def number(value: float) -> str:
    """Return a number with three digits that matter, as far as it has them."""
    if value >= 100 or value == 0:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _number(name: str, row: Mapping[str, Any]) -> str:
    if name == "kept":
        return f"{row['kept']:,}"
    if name == "share":
        return f"{row['share']:.0%}"
    value = row[name]
    return f"{value:,}" if isinstance(value, int) else number(value)


def _fails(row: Mapping[str, Any]) -> bool:
    return bool(row["errors"] * 2 >= row["requests"])
