"""One screen of `milvus-otel top`: how many requests there were, the table, and what takes the time."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.text import Text

from milvus_otel_processor.top.table import NONE, hints, number, table
from milvus_otel_processor.top.view import HELP

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.console import RenderableType

    from milvus_otel_processor.top.view import View

_BESIDE_ROWS = 4
"""Lines around the rows: what is above the titles, the titles, how many more rows there are, a free one."""
_FEWEST_ROWS = 3
NOT_COUNTED = "Requests are not counted here: the pipeline needs the processor milvus, with requests.enabled, which is its default."


def screen(
    answer: Mapping[str, Any], view: View, width: int, *, keys: str = "", trouble: str = "", height: int | None = None
) -> Group:
    """Return what is shown of an answer of the API, `width` columns wide and no more than `height` lines high if that is said.

    `keys` says what to press; it is the last line, whatever has no room.
    """
    rows = [row for row in answer["rows"] if view.is_shown(row)]
    parts: list[RenderableType] = [headline(answer, view)]
    if trouble:
        parts.append(Text(trouble, style="red"))
    if not answer["counted"]:
        parts.append(Text(NOT_COUNTED, style="red"))
    last = [Text(f"filter: {view.text}_" if view.typing else keys, style="dim")] if keys else []
    shown = rows if height is None else rows[: _room_for_rows(height - _lines([*parts, *last], width))]
    parts.append(table(shown, view.by, width, view.sort))
    parts += [Text(line, style="dim") for line in _beside(answer, view, len(rows), len(shown))]
    parts.append(Text(""))
    for hint in hints(shown, view.by):
        if height is not None and _lines([*parts, hint, *last], width) > height:
            break
        parts.append(hint)
    return Group(*parts, *last)


def _room_for_rows(lines: int) -> int:
    """Return how many rows there are to be in what the first lines leave: a quarter of it is for the hints."""
    return max(_FEWEST_ROWS, lines - _BESIDE_ROWS - lines // 4)


def _lines(parts: Sequence[RenderableType], width: int) -> int:
    return len(Console(file=StringIO(), width=width).render_lines(Group(*parts), pad=False))


def _beside(answer: Mapping[str, Any], view: View, matching: int, shown: int) -> Iterator[str]:
    """Yield why there is no row, and how many more there are; the text that is typed is looked for in the rows that came alone."""
    came, beyond = len(answer["rows"]), answer["rows_left_out"]
    if not answer["counted"]:
        return
    if not answer["all"]["requests"]:
        yield "No request yet: one counts when its trace is decided, some seconds after it ended."
    elif not came:
        yield f"No request of this window has {_listed(view.where)}."
    elif not matching:
        yield f"Nothing matches “{view.text}”; looked at: {', '.join(key.replace('_', ' ') for key in view.by)}."
    more = matching - shown + (0 if view.text else beyond)
    if more:
        yield f"and {more:,} more"
    if view.text and beyond:
        yield f"not looked at: {beyond:,} more, see --limit"


def headline(answer: Mapping[str, Any], view: View) -> Text:
    """Return what all requests come to, and how exact that is."""
    every = answer["all"]
    kept = f"{every['kept'] / every['requests']:.1%}" if every["requests"] else "none"
    text = Text.assemble(
        (f"{every['requests']:,} requests", "bold"),
        f" in the last {answer['seconds'] / 60:.1f} min ({number(every['per_second'])}/s), ",
        (f"{every['errors']:,} failed", "red" if every["errors"] else ""),
        f"; p99 {number(every['p99_ms']) if every['requests'] else NONE}. All of them count; {kept} are in kept traces. ",
        (f"Durations in ms, quantiles ±{answer['relative_error']:.0%}.", "dim"),
    )
    about = [*([_listed(view.where)] if view.where else []), *([f"“{view.text}”"] if view.text else [])]
    if about:
        text.append(f" Below: only {', '.join(about)}.")
    if view.paused:
        text.append(" Paused.", style="bold")
    return text


def _listed(where: tuple[tuple[str, str], ...]) -> str:
    return ", ".join(f"{key.replace('_', ' ')} {value or NONE}" for key, value in where)


__all__ = ["HELP", "headline", "screen"]
