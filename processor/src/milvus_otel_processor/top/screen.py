"""One screen of `milvus-otel top`: how many requests there were, the table, and what takes the time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.text import Text

from milvus_otel_processor.top.table import hints, number, table
from milvus_otel_processor.top.view import HELP

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import RenderableType

    from milvus_otel_processor.top.view import View

NOT_COUNTED = "Requests are not counted here: the pipeline needs the processor milvus, with requests.enabled, which is its default."


def screen(
    answer: Mapping[str, Any], view: View, width: int, *, keys: str = "", trouble: str = "", lines: int | None = None
) -> Group:
    """Return what is shown of an answer of the API: no more than `lines` rows, `width` columns wide. `keys` says what to press."""
    rows = [row for row in answer["rows"] if view.is_shown(row)]
    shown = rows if lines is None else rows[:lines]
    parts: list[RenderableType] = [headline(answer, view)]
    if trouble:
        parts.append(Text(trouble, style="red"))
    if not answer["counted"]:
        parts.append(Text(NOT_COUNTED, style="red"))
    parts.append(table(shown, view.by, width, view.sort))
    left_out = len(rows) - len(shown) + answer["rows_left_out"]
    if not shown and answer["counted"]:
        parts.append(
            Text("No request yet: one counts when its trace is decided, some seconds after it ended.", style="dim")
        )
    if left_out:
        parts.append(Text(f"and {left_out:,} more", style="dim"))
    parts.append(Text(""))
    parts.append(hints(shown, view.by))
    if keys:
        parts.append(Text(f"filter: {view.text}_" if view.typing else keys, style="dim"))
    return Group(*parts)


def headline(answer: Mapping[str, Any], view: View) -> Text:
    """Return what all requests come to, and how exact that is."""
    every = answer["all"]
    kept = f"{every['kept'] / every['requests']:.1%}" if every["requests"] else "none"
    text = Text.assemble(
        (f"{every['requests']:,} requests", "bold"),
        f" in the last {answer['seconds'] / 60:.1f} min ({number(every['per_second'])}/s), ",
        (f"{every['errors']:,} failed", "red" if every["errors"] else ""),
        f"; p99 {number(every['p99_ms'])}. All of them count; {kept} are in kept traces. ",
        (f"Durations in ms, quantiles ±{answer['relative_error']:.0%}.", "dim"),
    )
    about = [f"{key} {value}" for key, value in view.where] + ([f"“{view.text}”"] if view.text else [])
    if about:
        text.append(f" Only {', '.join(about)}.")
    if view.paused:
        text.append(" Paused.", style="bold")
    return text


__all__ = ["HELP", "headline", "screen"]
