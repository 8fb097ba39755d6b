"""Keeps the table up to date until someone ends it."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

from rich.live import Live

from milvus_otel_processor.page.client import ClientError
from milvus_otel_processor.top.screen import HELP, screen

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from milvus_otel_processor.top.view import View


def follow(
    ask: Callable[[str], dict[str, Any]],
    view: View,
    console: Console,
    *,
    interval: float,
    key: Callable[[float], str],
    keys: str = HELP,
    clock: Callable[[], float] = monotonic,
) -> None:
    """Show what `ask` returns for the path of the view, every `interval` seconds, until a key ends it.

    `key` waits for a key for some seconds. When there is no answer any more, the last one stays, with the reason. Raises
    ClientError where there is none at the start.
    """
    answer, of, trouble = ask(view.path), view, ""
    due = clock() + interval
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while not view.ended:
            shown = view._replace(by=of.by, sort=of.sort, where=of.where)  # as the answer is, where no newer one came
            live.update(
                screen(answer, shown, console.width, keys=keys, trouble=trouble, height=console.height), refresh=True
            )
            before = view
            for letter in split(key(max(0.0, due - clock()))):
                view = view.pressed(letter)
            if view.path == before.path and (clock() < due or view.paused):
                due = max(due, clock() + interval) if view.paused else due
                continue
            try:
                answer, of, trouble = ask(view.path), view, ""
            except ClientError as error:
                trouble = str(error)
            due = clock() + interval


def split(pressed: str) -> list[str]:
    """Return the keys of what was read at once; arrows and the like, which begin with Escape, are none."""
    if len(pressed) > 1 and pressed[0] == "\x1b":
        return []
    return list(pressed)
