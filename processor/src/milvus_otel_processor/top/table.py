"""Requests as a table: a row for each collection and operation, or for what else they are grouped by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich.table import Table
from rich.text import Text

from milvus_otel_processor.columns import cut
from milvus_otel_processor.requests.record import OVERFLOW
from milvus_otel_processor.top.layout import GAP, layout

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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

_TIME, _BY_TIME = "share", ("total_ms", "")
"""The column that rows are usually sorted by, and how that order is called."""
_NAMES_SHOWN = 3
"""How many rows are named that a hint is about."""
_STAGES_SHOWN, _LEAST_SHARE = 3, 0.05
_OTHERS = "(all others)"
NONE = "-"


def table(
    rows: Sequence[Mapping[str, Any]], by: Sequence[str], width: int, sort: str = "", *, rate: bool = True
) -> Table:
    """Return the rows of a summary (`requests.summary`), as wide as said; without `rate` how many a second is left out.

    `layout` says what is left out where there is no room for all.
    """
    names = {key: [name_of(key, row) for row in rows] for key in by}
    numbers = {name: [_number(name, row) for row in rows] for name in COLUMNS if rate or name != "per_second"}
    fits = layout(
        {key: [_title(key), *(name.plain for name in cells)] for key, cells in names.items()},
        {name: [COLUMNS[name], *cells] for name, cells in numbers.items()},
        width,
        _TIME if sort in _BY_TIME else sort,
    )
    shown = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="dim", title_justify="left")
    for key in names.keys() - fits.names.keys():
        shown.title = Text(f"{_title(key)} {names[key][0].plain}", style="dim", overflow="ellipsis", no_wrap=True)
    for key, columns in fits.names.items():
        shown.add_column(Text(_title(key)), width=columns, overflow="ellipsis", no_wrap=True)
    for name in fits.numbers:
        is_sorted_by = name == (_TIME if sort == _BY_TIME[0] else sort)
        shown.add_column(
            Text(COLUMNS[name], style="bold reverse" if is_sorted_by else ""), justify="right", no_wrap=True
        )
    if fits.stages:
        shown.add_column("where it went", width=fits.stages, overflow="ellipsis", no_wrap=True)
    for index, row in enumerate(rows):
        cells: list[Text | str] = [
            *(
                Text(cut(names[key][index].plain, columns), names[key][index].style)
                for key, columns in fits.names.items()
            ),
            *(numbers[name][index] for name in fits.numbers),
            *([stages(row)] if fits.stages else []),
        ]
        shown.add_row(*cells, style="red" if _fails(row) else None)
    return shown


def _title(key: str) -> str:
    return key.replace("_", " ")


def hints(rows: Sequence[Mapping[str, Any]], by: Sequence[str]) -> list[Text]:
    """Return what it means where one stage took most of the time of a row; each sentence once, with the rows it is about."""
    about: dict[str, list[str]] = {}
    for row in rows:
        if row.get("hint"):
            about.setdefault(row["hint"], []).append(" ".join(name_of(key, row).plain for key in by if row[key]))
    return [Text.assemble((_some(names), "bold"), f": {words}") for words, names in about.items()]


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def name_of(key: str, row: Mapping[str, Any]) -> Text:
    """Return the value of a key, on one line."""
    value = str(row[key])
    if key == "collection" and value == OVERFLOW.collection:
        return Text(_OTHERS, style="dim")
    return Text("".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in value) or NONE)


def stages(row: Mapping[str, Any]) -> str:
    """Return the stages that took most of the time, each with its share: `wait 95%, core 4%`."""
    spent: Mapping[str, float] = row["stages_ms"]
    total = sum(spent.values())
    if total <= 0:
        return NONE
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
