"""Counts durations into buckets: of requests by series, and of their stages."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

from milvus_otel_processor.requests.exponential import ExponentialCounts
from milvus_otel_processor.requests.record import STAGES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from milvus_otel_processor.requests.record import Record, Series


class Exemplar(NamedTuple):
    """One measured value, and the kept trace that it was measured in."""

    value: float
    """Seconds."""
    trace_id: bytes
    time_unix_nano: int


class Distribution:
    """How often durations were within each bucket.

    `counts[i]` are those above bound `i - 1` up to bound `i`, the last those above all bounds; `sum` is in seconds. `exemplars`
    has the last exemplar of a bucket, by its place. `exponential` counts them in finer buckets, where that is wanted.
    """

    __slots__ = ("counts", "exemplars", "exponential", "sum")

    def __init__(self, buckets: int, *, exponential: bool = False) -> None:
        self.counts = array("Q", bytes(8 * buckets))
        self.sum = 0.0
        self.exemplars: dict[int, Exemplar] = {}
        self.exponential = ExponentialCounts() if exponential else None

    @property
    def count(self) -> int:
        """How many there were."""
        return sum(self.counts)

    def copy(self) -> Distribution:
        """Return what it is now."""
        copied = Distribution(0)
        copied.counts, copied.sum, copied.exemplars = self.counts[:], self.sum, self.exemplars.copy()
        copied.exponential = self.exponential.copy() if self.exponential is not None else None
        return copied


class StageSeries(NamedTuple):
    """What the durations of a stage are counted under: less than a request's, as there are so many stages."""

    database: str
    collection: str
    operation: str
    stage: str


class Histograms:
    """Counts the duration of each request, and of each stage that its spans tell; an `Observer`.

    `bounds` are the buckets' upper bounds in seconds, rising. Only kept traces become exemplars, so that each can be found. Not
    safe to read while it counts: `Pipeline.undisturbed` is for that.
    """

    def __init__(self, bounds: Sequence[float], *, exemplars: bool = True, exponential: bool = False) -> None:
        self.bounds = tuple(bounds)
        self.exponential = exponential
        """Whether the durations of requests are counted into exponential buckets as well."""
        self._exemplars = exemplars
        self._requests: dict[Series, Distribution] = {}
        self._stages: dict[tuple[str, str, str], list[Distribution | None]] = {}

    def observe(self, record: Record) -> None:
        """Count a request, and its stages."""
        series = record.series
        distribution = self._requests.get(series)
        if distribution is None:
            distribution = self._requests[series] = Distribution(len(self.bounds) + 1, exponential=self.exponential)
        self._count(distribution, record.seconds, record)
        key = series[:3]
        stages = self._stages.get(key)
        if stages is None:
            stages = self._stages[key] = [None] * len(STAGES)
        for place, seconds in enumerate(record.times):
            if seconds:
                stage = stages[place]
                if stage is None:
                    stage = stages[place] = Distribution(len(self.bounds) + 1)
                self._count(stage, seconds, record)

    def _count(self, distribution: Distribution, seconds: float, record: Record) -> None:
        bucket = bisect_left(self.bounds, seconds)
        distribution.counts[bucket] += 1
        distribution.sum += seconds
        if distribution.exponential is not None:
            distribution.exponential.add(seconds)
        if record.kept and self._exemplars:
            distribution.exemplars[bucket] = Exemplar(seconds, record.trace_id, record.ended_ns)

    def requests(self) -> Mapping[Series, Distribution]:
        """Return how long requests took, as counted up to now."""
        return {series: distribution.copy() for series, distribution in self._requests.items()}

    def stages(self) -> Mapping[StageSeries, Distribution]:
        """Return how long they were in each stage."""
        return {
            StageSeries(*key, STAGES[place]): distribution.copy()
            for key, stages in self._stages.items()
            for place, distribution in enumerate(stages)
            if distribution is not None
        }
