"""What a table has room for: which columns, and how wide those of names are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from milvus_otel_processor.columns import shared, widest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GAP: Final = 2
"""Columns of the screen between two columns of the table."""
SAID_ONCE: Final = "database"
"""The key that needs no column of its own where all rows have the same."""

_LONGEST_NAME, _SHORTEST_NAME = 40, 8
_LONGEST_STAGES, _SHORTEST_STAGES = 60, 22
_BETWEEN: Final = "p95_ms"
"""What is left out for the stages: it is between two others."""
_LEFT_OUT: Final = (_BETWEEN, "kept", "per_second", "p50_ms", "requests", "share")
"""Figures without which a narrow table does, the first of them first; that by which rows are sorted stays."""
_LEFT_OUT_LAST: Final = ("errors", "p99_ms")
"""Those that give way only where there would be next to nothing of the names."""


class Layout(NamedTuple):
    """The columns that there is room for."""

    names: dict[str, int]
    """Widths by key."""
    numbers: tuple[str, ...]
    stages: int
    """The width of the column with the stages; 0 where there is none."""


def layout(
    names: Mapping[str, Sequence[str]], numbers: Mapping[str, Sequence[str]], width: int, sorted_by: str
) -> Layout:
    """Return what fits into so many columns of the screen, of names by key and figures by their titles, with their cells first.

    Names are the last to give way: without them nobody can tell rows apart. Before they are cut, the database is left out where
    it is the same everywhere, then the stages, then figures.
    """
    wanted = {key: min(_LONGEST_NAME, widest(cells)) for key, cells in names.items()}
    used = {name: GAP + widest(cells) for name, cells in numbers.items()}
    full = _with_stages(wanted, used, width)
    if full is not None:
        return full
    if len(wanted) > 1 and len(set(names.get(SAID_ONCE, ())[1:])) == 1:
        del wanted[SAID_ONCE]
    without_one = {name: each for name, each in used.items() if name != _BETWEEN or name == sorted_by}
    for figures in (used, without_one):
        fits = _with_stages(wanted, figures, width)
        if fits is not None:
            return fits
    return _without_stages(wanted, used, width, sorted_by)


def _with_stages(wanted: dict[str, int], used: dict[str, int], width: int) -> Layout | None:
    left = width - _room(wanted) - sum(used.values())
    return Layout(wanted, tuple(used), min(left, _LONGEST_STAGES)) if left >= _SHORTEST_STAGES else None


def _without_stages(wanted: dict[str, int], used: dict[str, int], width: int, sorted_by: str) -> Layout:
    used = dict(used)
    shortest = {key: min(_SHORTEST_NAME, each) for key, each in wanted.items()}
    available = width + GAP  # behind the last column there is no gap
    for needed, left_out in ((wanted, _LEFT_OUT), (shortest, _LEFT_OUT_LAST)):
        for name in left_out:
            if _room(needed) + sum(used.values()) <= available:
                break
            if name != sorted_by:
                used.pop(name, None)
    free = max(len(wanted), available - sum(used.values()) - GAP * len(wanted))
    widths = shared(free, list(wanted.values()))
    return Layout(dict(zip(wanted, widths, strict=True)), tuple(used), 0)


def _room(names: Mapping[str, int]) -> int:
    return sum(names.values()) + GAP * len(names)
