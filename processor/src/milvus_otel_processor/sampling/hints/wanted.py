"""What traces have to have for any rule to look at them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from milvus_otel_processor.spans.wanted import Wanted, WantedValue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from milvus_otel_processor.sampling.hints.hints import Hints
    from milvus_otel_processor.spans.groups import Group

_BEYOND = 1 << 100
"""More nanoseconds, or spans, than any trace has."""


def wanted_by(rule: Hints, *, roots_are_asked: bool) -> Wanted | None:
    """Return what a trace has to have for this rule to match, or to remember anything of it; None where that is not known.

    `roots_are_asked` is whether a trace says that its root's name is one that rules have to be asked about.
    """
    if rule.root_matches is not None and roots_are_asked:
        return Wanted(roots=True)
    if rule.wanted is not None:
        return rule.wanted
    needles = rule.needles
    if needles is None or not needles.sets or not all(needles.sets[0]):
        return None
    return Wanted(texts=needles.sets[0], of_group=needles.resource_matches)


def together(all_wanted: Iterable[Wanted]) -> Wanted | None:
    """Return what makes a trace wanted by any of these; None where they look for calls, or failures, in several ways."""
    some = list(all_wanted)
    calls = [one.calls for one in some if one.calls is not None]
    failures = [one.failures for one in some if one.failures is not None]
    if len(calls) > 1 or len(failures) > 1:
        return None
    return Wanted(
        statuses=frozenset[int]().union(*(one.statuses for one in some)),
        durations=_within(pair for one in some for pair in one.durations),
        counts=_within(pair for one in some for pair in one.counts),
        hashes=tuple(pair for one in some for pair in one.hashes),
        roots=any(one.roots for one in some),
        rootless=any(one.rootless for one in some),
        texts=frozenset[bytes]().union(*(one.texts for one in some)),
        values=tuple(value for one in some for value in one.values),
        of_group=_any_of([one.of_group for one in some if one.of_group is not None]),
        calls=calls[0] if calls else None,
        failures=failures[0] if failures else None,
    )


def any_of(all_wanted: Iterable[Wanted | None]) -> Wanted | None:
    """Return what makes a trace wanted by any of these; None where one of them does not say."""
    found = list(all_wanted)
    some = [one for one in found if one is not None]
    return together(some) if len(some) == len(found) else None


def of_number(key: bytes, least: float, greatest: float, matches: Callable[[bytes], bool]) -> WantedValue:
    """Return that an attribute is a number within bounds; where these are doubles, no more than more traces are wanted."""
    return WantedValue(key, matches, (_double(least), _double(greatest)))


def _double(number: float) -> float:
    try:
        return float(number)
    except OverflowError:  # an integer beyond all doubles
        return math.inf if number > 0 else -math.inf


def _within(bounds: Iterable[tuple[int, int | None]]) -> tuple[tuple[int, int | None], ...]:
    """Return bounds, each once, and none beyond what there can be."""
    return tuple(dict.fromkeys((_near(least), None if most is None else _near(most)) for least, most in bounds))


def _near(number: int) -> int:
    return max(-_BEYOND, min(number, _BEYOND))


def _any_of(questions: list[Callable[[Group], bool]]) -> Callable[[Group], bool] | None:
    return (lambda group: any(asks(group) for asks in questions)) if questions else None
