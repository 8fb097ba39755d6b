"""What the demo is doing now, on one line that moves in a terminal, and one line for each step done anywhere."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.markup import escape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console


@contextmanager
def step(text: str, console: Console, clock: Callable[[], float] = time.monotonic) -> Iterator[Callable[[str], None]]:
    """Show a step while its block runs; the function it gives replaces the text, as often as one likes."""
    started = clock()
    latest = text
    with console.status(escape(text)) as status:

        def update(new: str) -> None:
            nonlocal latest
            latest = new
            status.update(escape(new))

        yield update
    console.print(f"{escape(latest)} [dim]({clock() - started:.1f} s)[/dim]", highlight=False)
