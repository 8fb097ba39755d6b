"""The counters of the last 15 minutes, every five seconds."""

from __future__ import annotations

from collections import deque
from time import monotonic, time
from typing import TYPE_CHECKING, NamedTuple

from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.telemetry.counters import Lost

if TYPE_CHECKING:
    from collections.abc import Callable

    from milvus_otel_processor.telemetry.counters import Telemetry

SECONDS_APART = 5.0
_POINTS = 181
_DECISIONS = (Decision.SAMPLED.value, Decision.NOT_SAMPLED.value, Decision.DROPPED.value)
_LOST_DECISIONS = frozenset({Lost.FAILED.value, Lost.MALFORMED.value, "discarded"})


class Point(NamedTuple):
    """Spans since the start, but for those that wait now."""

    at: float
    """Seconds since 1970."""
    moment: float
    """Seconds of a clock that nobody sets: rates are by this one."""
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

    def __init__(
        self, telemetry: Telemetry, clock: Callable[[], float] = monotonic, wall: Callable[[], float] = time
    ) -> None:
        self._telemetry = telemetry
        self._clock = clock
        self._wall = wall
        self._points: deque[Point] = deque(maxlen=_POINTS)
        self._next = clock()
        self._traces = (0, 0, 0)
        self._traces_per_second = (0.0, 0.0, 0.0)

    def sample(self) -> bool:
        """Take a point if it is time, and tell whether it was."""
        now = self._clock()
        if now >= self._next:
            self._next = now + SECONDS_APART
            self._points.append(self._point(now))
            before, self._traces = self._traces, self._decided()
            sampled, not_sampled, dropped = (
                (now - then) / SECONDS_APART for now, then in zip(self._traces, before, strict=True)
            )
            self._traces_per_second = sampled, not_sampled, dropped
            return True
        return False

    def traces_per_second(self) -> tuple[float, float, float]:
        """Return how many traces were sampled, not sampled, and dropped, between the latest two points."""
        return self._traces_per_second

    def points(self) -> list[Point]:
        """Return those of the last 15 minutes, and one of now."""
        return [*self._points.copy(), self._point(self._clock())]

    def silence(self) -> float:
        """Return for how long no span has come, as far back as there are points; seconds."""
        latest = self._point(self._clock())
        since = latest.moment
        for point in reversed(self._points.copy()):
            if point.received != latest.received:
                break
            since = point.moment
        return latest.moment - since

    def _decided(self) -> tuple[int, int, int]:
        traces = dict.fromkeys(_DECISIONS, 0)
        for (decision, _), amount in list(self._telemetry.decisions.items()):
            if decision in traces:
                traces[decision] += amount.traces
        sampled, not_sampled, dropped = traces.values()
        return sampled, not_sampled, dropped

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
        return Point(self._wall(), now, received, kept, dropped, lost, counted.exported_spans, counted.waiting_spans)
