"""Where tables and sentences for people go."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.segment import Segment

from milvus_otel_processor.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import ConsoleOptions, RenderableType


def columns_asked_for() -> int | None:
    """Return how wide the environment's variable COLUMNS wants what is shown, in a terminal or in none."""
    asked = os.environ.get("COLUMNS", "")
    return (int(asked) or None) if asked.isascii() and asked.isdigit() else None


class Terminal(Console):
    """Rich's console, in which no text can do what a program does: names of spans and collections are written by others.

    Rich takes the escapes that begin with a character 27 for a part of the text, and sends them to the terminal, which obeys.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        if not self._width:  # rich would obey COLUMNS=0, and show nothing
            self._width = None

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield what `renderable` is made of, see `Console.render`; what is in it is rendered by this function, too."""
        for segment in super().render(renderable, options):
            text = segment.text
            if segment.control or text.isprintable():
                yield segment
            else:
                yield Segment("\n".join(map(printable, text.split("\n"))), segment.style)
