"""One screen of `milvus-otel top`: how many requests there were, the table, and what takes the time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.text import Text

from milvus_otel_processor.top.table import NONE, hints, number, table
from milvus_otel_processor.top.view import HELP

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
    parts += [Text(line, style="dim") for line in _beside(answer, view, len(rows), len(shown))]
    parts.append(Text(""))
    parts.append(hints(shown, view.by))
    if keys:
        parts.append(Text(f"filter: {view.text}_" if view.typing else keys, style="dim"))
    return Group(*parts)


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
