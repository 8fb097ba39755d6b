"""Where the time of one request went, from the spans below it: stages that never overlap and add up to the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milvus_otel_processor.requests.record import CLIENT, CORE, QUEUE, REDUCE, STAGES, UNEXPLAINED
from milvus_otel_processor.requests.steps import (
    LAST_STEP,
    PRECEDENCE,
    PROXY,
    RETRIEVE,
    STEPS,
    TASK,
    is_core,
    step_of,
)
from milvus_otel_processor.spans.wanted import TimeSteps

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from milvus_otel_processor.spans.contract import Trace

MOST_SPANS = 4096
"""Spans of a request up to which its stages are told: a request of Milvus has tens of them."""

_PLACES = {stage: place for place, stage in enumerate(PRECEDENCE)}
_OUT = [STAGES.index(stage) for stage in PRECEDENCE]
_CLIENT, _UNEXPLAINED = STAGES.index(CLIENT), STAGES.index(UNEXPLAINED)
OUT = (*_OUT, _CLIENT, _UNEXPLAINED)
"""The places in STAGES of what spans tell, in the order of PRECEDENCE, of the caller's time, and of what nothing explains."""
_QUEUE, _REDUCE, _CORE = _PLACES[QUEUE], _PLACES[REDUCE], _PLACES[CORE]
_NONE = (0,) * len(STAGES)

_KINDS = {PROXY: len(PRECEDENCE), TASK: len(PRECEDENCE) + 1, RETRIEVE: len(PRECEDENCE) + 2}
"""As `TimeSteps` has them."""


def _step_number(name: bytes) -> int | None:
    step = step_of(name)
    return None if step is None else _KINDS.get(step, _PLACES.get(step))


TIME_STEPS = TimeSteps(
    _step_number,
    [*((event, _PLACES[stage]) for event, stage in STEPS.items()), (LAST_STEP, _PLACES[REDUCE])],
    _PLACES[QUEUE],
    _PLACES[CORE],
    is_core,
)
"""How spans tell the stages of PRECEDENCE."""

Interval = tuple[int, int, int]
"""From when to when, in nanoseconds, and the place in PRECEDENCE of the stage."""


def stage_times(trace: Trace, places: Sequence[int], begin: int, end: int, outside: int = 0) -> tuple[int, ...]:
    """Return the nanoseconds by stage, in the order of STAGES, of a request that Milvus served from `begin` to `end`.

    `places` are those of its spans, `outside` is how long its caller waited beside that. What no span tells
    is `unexplained`; all is 0 where there are too many spans to look at. Raises DecodeError at a malformed span.
    """
    if len(places) > MOST_SPANS:
        return _NONE
    spent = trace.time_spent(TIME_STEPS, places if len(places) < len(trace) else None, begin, end)
    if spent is None:
        spent = _spent(_intervals(trace, places), begin, end)
    times = list(_NONE)
    for place, nanoseconds in zip(_OUT, spent, strict=True):
        times[place] = nanoseconds
    times[_UNEXPLAINED] = end - begin - sum(spent)
    times[_CLIENT] = max(0, outside)
    return tuple(times)


def _intervals(trace: Trace, places: Sequence[int]) -> Iterator[Interval]:
    heads, groups = trace.heads, trace.groups
    proxy: int | None = None
    task: int | None = None
    for place in places:
        head = heads[place]
        start = head.start_time_unix_nano
        step = step_of(head.name)
        if step is None:
            if is_core(groups[place]):
                yield start, head.end_time_unix_nano, _CORE
        elif step == PROXY:
            proxy = start if proxy is None else min(proxy, start)
        elif step in (TASK, RETRIEVE):
            task = start if task is None else min(task, start)
            if step == RETRIEVE:
                yield from _steps(trace, place, start, head.end_time_unix_nano)
        else:
            yield start, head.end_time_unix_nano, _PLACES[step]
    if proxy is not None and task is not None:
        yield proxy, task, _QUEUE


def _steps(trace: Trace, place: int, start: int, end: int) -> Iterator[Interval]:
    """Yield the steps of a query, which are events of its task."""
    began, stage = start, _QUEUE
    for event in trace.events(place):
        step = STEPS.get(event.name)
        if step is not None or event.name == LAST_STEP:
            yield began, event.time_unix_nano, stage
            began, stage = event.time_unix_nano, _PLACES[step] if step is not None else _REDUCE
    if stage != _QUEUE:  # else it never came to anything, and where it ended is not known
        yield began, end, stage


def _spent(intervals: Iterator[Interval], begin: int, end: int) -> list[int]:
    """Return the nanoseconds between `begin` and `end` by stage; each moment counts once, for the first stage it is within."""
    changes: list[tuple[int, int, int]] = []
    for start, stop, place in intervals:
        first, last = max(start, begin), min(stop, end)
        if first < last:
            changes += ((first, place, 1), (last, place, -1))
    changes.sort()
    spent, within = [0] * len(PRECEDENCE), [0] * len(PRECEDENCE)
    before = begin
    for now, place, change in changes:
        if now > before:
            current = next((stage for stage, count in enumerate(within) if count), None)
            if current is not None:
                spent[current] += now - before
            before = now
        within[place] += change
    return spent
