"""The counters of the last 15 minutes, every five seconds."""

from __future__ import annotations

from collections import deque
from time import time
from typing import TYPE_CHECKING, NamedTuple

from milvus_otel_processor.sampling.decision import NOT_SAMPLED
from milvus_otel_processor.telemetry.counters import Lost

if TYPE_CHECKING:
    from collections.abc import Callable

    from milvus_otel_processor.telemetry.counters import Telemetry

SECONDS_APART = 5.0
_POINTS = 181
_NOT_SAMPLED = NOT_SAMPLED.key
_LOST_DECISIONS = frozenset({Lost.FAILED.value, Lost.MALFORMED.value, "discarded"})


class Point(NamedTuple):
    """Spans since the start, but for those that wait now."""

    at: float
    """Seconds since 1970."""
    received: int
    kept: int
    dropped: int
    """Of traces that were not kept, whether by a `drop` policy or because no policy wanted them; late ones among them."""
    lost: int
    exported: int
    waiting: int
    """Now."""


class Series:
    """Points in time, five seconds apart; `sample` is called often and takes one when it is due."""

    def __init__(self, telemetry: Telemetry, clock: Callable[[], float] = time) -> None:
        self._telemetry = telemetry
        self._clock = clock
        self._points: deque[Point] = deque(maxlen=_POINTS)
        self._next = 0.0
        self._not_sampled = 0
        self._not_sampled_per_second = 0.0

    def sample(self) -> bool:
        """Take a point if it is time, and tell whether it was."""
        now = self._clock()
        if now >= self._next or now < self._next - 2 * SECONDS_APART:  # the clock may have been set back
            self._next = now + SECONDS_APART
            self._points.append(self._point(now))
            amount = self._telemetry.decisions.get(_NOT_SAMPLED)
            before, self._not_sampled = self._not_sampled, amount.traces if amount is not None else 0
            self._not_sampled_per_second = (self._not_sampled - before) / SECONDS_APART
            return True
        return False

    def not_sampled_per_second(self) -> float:
        """Return how many traces no policy sampled, between the latest two points."""
        return self._not_sampled_per_second

    def points(self) -> list[Point]:
        """Return those of the last 15 minutes, and one of now."""
        return [*self._points.copy(), self._point(self._clock())]

    def _point(self, now: float) -> Point:
        counted = self._telemetry
        kept = dropped = 0
        for (decision, _), amount in list(counted.decisions.items()):
            if decision == "sampled":
                kept += amount.spans
            elif decision not in _LOST_DECISIONS:
                dropped += amount.spans
        for decision, spans in list(counted.late_spans.items()):
            if decision == "sampled":
                kept += spans
            else:
                dropped += spans
        lost = sum(list(counted.lost_spans.values()))
        received = counted.received_spans - sum(list(counted.refused_spans.values()))
        return Point(now, received, kept, dropped, lost, counted.exported_spans, counted.waiting_spans)
