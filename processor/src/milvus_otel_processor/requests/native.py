"""Counts in Rust: `milvus_otel_core.Counts`, with the names of what it counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import milvus_otel_core

from milvus_otel_processor.requests.counts import Distribution, StageSeries
from milvus_otel_processor.requests.record import STAGES
from milvus_otel_processor.requests.series import SeriesTable
from milvus_otel_processor.telemetry.family import Exemplar, Exponential

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from milvus_otel_processor.requests.record import Record, Series


class NativeCounts:
    """See `counts.Counts`."""

    def __init__(
        self, bounds: Sequence[float], stage_bounds: Sequence[float], max_series: int, *, exemplars: bool = True
    ) -> None:
        self.bounds = tuple(bounds)
        self.stage_bounds = tuple(stage_bounds)
        self.native = milvus_otel_core.Counts(self.bounds, self.stage_bounds, exemplars=exemplars)
        """What the native store counts with."""
        self.series = SeriesTable(max_series, self.native.introduce)
        self.add: Callable[[Record], None] = self.native.add
        self.count_exponentially = self.native.count_exponentially
        self.count_slices = self.native.count_slices

    @property
    def size(self) -> int:
        """See `Counts`."""
        return self.native.size

    def requests(self) -> Mapping[Series, Distribution]:
        """See `Counts`."""
        series = self.series.all
        return {series[number]: _distribution(*told) for number, told in self.native.requests()}

    def stages(self) -> Mapping[StageSeries, Distribution]:
        """See `Counts`."""
        groups = self.series.groups
        return {
            StageSeries(*groups[group], STAGES[stage]): _distribution(*told)
            for group, stage, told in self.native.stages()
        }

    def slice(self) -> Mapping[Series, bytes]:
        """See `Counts`."""
        return self._named(self.native.slice())

    def take_slice(self) -> Mapping[Series, bytes]:
        """See `Counts`."""
        return self._named(self.native.take_slice())

    def _named(self, cells: Sequence[tuple[int, bytes]]) -> Mapping[Series, bytes]:
        series = self.series.all
        return {series[number]: packed for number, packed in cells}


def _distribution(
    counts: Sequence[int],
    seconds: float,
    exemplars: Sequence[tuple[int, float, bytes, int]],
    exponential: tuple[int, int, int, Sequence[int]] | None,
) -> Distribution:
    by_place = {place: Exemplar(value, trace_id, time_ns) for place, value, trace_id, time_ns in exemplars}
    finer = Exponential(*exponential, seconds, tuple(by_place.values())) if exponential is not None else None
    return Distribution(counts, seconds, by_place, finer)
