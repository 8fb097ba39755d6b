"""What traces have to have for any rule to look at them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milvus_otel_processor.spans.wanted import Wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from milvus_otel_processor.sampling.hints.hints import Hints
    from milvus_otel_processor.spans.groups import Group


def wanted_by(rule: Hints, *, roots_are_asked: bool) -> Wanted | None:
    """Return what a trace has to have for this rule to match; None where that is not known, or it counts what it is asked.

    `roots_are_asked` is whether a trace says that its root's name is one that rules have to be asked about.
    """
    if rule.stateful:
        return None
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
    durations = [one.duration for one in some if one.duration is not None]
    calls = [one.calls for one in some if one.calls is not None]
    failures = [one.failures for one in some if one.failures is not None]
    if len(calls) > 1 or len(failures) > 1:
        return None
    return Wanted(
        statuses=frozenset[int]().union(*(one.statuses for one in some)),
        duration=min(durations, default=None),
        hashes=tuple(pair for one in some for pair in one.hashes),
        roots=any(one.roots for one in some),
        rootless=any(one.rootless for one in some),
        texts=frozenset[bytes]().union(*(one.texts for one in some)),
        of_group=_any_of([one.of_group for one in some if one.of_group is not None]),
        calls=calls[0] if calls else None,
        failures=failures[0] if failures else None,
    )


def _any_of(questions: list[Callable[[Group], bool]]) -> Callable[[Group], bool] | None:
    return (lambda group: any(asks(group) for asks in questions)) if questions else None
