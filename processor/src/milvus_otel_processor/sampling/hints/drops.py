"""Which traces `drop` policies drop by the name of their root, where nothing else in them is in the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from milvus_otel_processor.sampling.hints.wanted import together, wanted_by

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from milvus_otel_processor.sampling.policies.drop import Drop
    from milvus_otel_processor.spans.groups import Group
    from milvus_otel_processor.spans.wanted import Wanted


class SureDrops(NamedTuple):
    """Verdicts over complete traces with one root alone; see `spans.wanted.Drops`."""

    of_root: Callable[[bytes, Group], int | None]
    verdicts: tuple[tuple[object, Wanted], ...]


def sure_drops(drops: Sequence[tuple[Drop, object]]) -> SureDrops | None:
    """Return what drop policies say, each with its verdict, in the order in which they are asked; None where that is nothing."""
    verdicts: list[tuple[object, Wanted]] = []
    steps: list[tuple[Drop, int | None]] = []
    others: list[Wanted] = []  # what drop policies in front want that look at no root
    for drop, verdict in drops:
        if drop.root_matches is None:
            wanted = wanted_by(drop, roots_are_asked=False)
            if wanted is None:
                break
            others.append(wanted)
            continue
        unless = together([*others, drop.undone_by]) if drop.undone_by is not None else None
        steps.append((drop, None if unless is None else len(verdicts)))
        if unless is not None:
            verdicts.append((verdict, unless))

    def of_root(name: bytes, group: Group) -> int | None:
        for drop, place in steps:
            if drop.root_matches is not None and drop.root_matches(name):  # else it cannot match
                return place if drop.drops_complete(name, group) else None
        return None

    return SureDrops(of_root, tuple(verdicts)) if verdicts else None
