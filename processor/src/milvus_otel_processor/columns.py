"""Columns of the screen: how many a text takes, and what becomes of it where there are fewer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size

if TYPE_CHECKING:
    from collections.abc import Sequence


def cut(name: str, width: int) -> str:
    """Return a name that takes no more columns of the screen than this: of those that differ at either end both ends stay."""
    if cell_len(name) <= width:
        return name
    tail = (width - 1) // 2
    return f"{set_cell_size(name, width - 1 - tail)}…{set_cell_size(name[::-1], tail)[::-1]}"


def shared(width: int, wanted: Sequence[int]) -> list[int]:
    """Return how wide columns are that want to be so wide, where all together have so much: those that want least get it first."""
    given = list(wanted)
    for done, index in enumerate(sorted(range(len(wanted)), key=wanted.__getitem__)):
        given[index] = min(wanted[index], width // (len(wanted) - done))
        width -= given[index]
    return given


def widest(texts: Sequence[str]) -> int:
    """Return how many columns the widest of the lines of texts takes."""
    return max((cell_len(line) for text in texts for line in text.split("\n")), default=0)
