"""Counts in Python: the reference for those in Rust."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import defaultdict, deque
from threading import Lock
from typing import TYPE_CHECKING, Final

from milvus_otel_processor.requests.cells import Cell
from milvus_otel_processor.requests.counts import Distribution, StageSeries
from milvus_otel_processor.requests.exponential import ExponentialCounts
from milvus_otel_processor.requests.record import STAGES
from milvus_otel_processor.requests.series import SeriesTable
from milvus_otel_processor.telemetry.family import Exemplar, Exponential

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from milvus_otel_processor.requests.record import Record, Series

_MOST_WAITING = 512
"""Records that wait to be added to the slice: many at a time cost less each."""
_NANOSECONDS = 1e9
_PER_SERIES, _PER_BUCKET, _PER_EXEMPLAR, _PER_CELL, _PER_BIN, _PER_WAITING = 400, 8, 250, 700, 60, 400
"""About how many bytes each takes."""
_NONE: Final[Mapping[int, Exemplar]] = {}


class _Accumulator:
    """Durations of one series, or of one stage, while they are counted."""

    __slots__ = ("counts", "exemplars", "exponential", "sum")

    def __init__(self, bounds: tuple[float, ...], *, exponential: bool = False) -> None:
        self.counts = array("Q", bytes(8 * (len(bounds) + 1)))
        self.sum = 0.0
        self.exemplars: dict[int, Exemplar] | None = None
        self.exponential = ExponentialCounts() if exponential else None

    def told(self) -> Distribution:
        """Return what it is now."""
        exemplars = self.exemplars.copy() if self.exemplars is not None else _NONE
        finer = self.exponential
        told = None
        if finer is not None:
            told = Exponential(
                finer.scale, finer.zero_count, finer.offset, finer.counts, self.sum, tuple(exemplars.values())
            )
        return Distribution(self.counts[:], self.sum, exemplars, told)


class ReferenceCounts:
    """See `counts.Counts`."""

    def __init__(
        self, bounds: Sequence[float], stage_bounds: Sequence[float], max_series: int, *, exemplars: bool = True
    ) -> None:
        self.bounds = tuple(bounds)
        self.stage_bounds = tuple(stage_bounds)
        self.series = SeriesTable(max_series, self._introduce)
        self._exemplars = exemplars
        self._exponential = False
        self._slices = False
        self._lock = Lock()
        self._groups = [0]
        self._requests: dict[int, _Accumulator] = {}
        self._stages: dict[int, list[_Accumulator | None]] = {}
        self._waiting: deque[Record] = deque()
        self._open: dict[int, Cell] = {}
        self._buckets = self._held_exemplars = self._bins = 0

    def _introduce(self, group: int) -> None:
        self._groups.append(group)

    def count_exponentially(self, wanted: bool, /) -> None:
        """See `Counts`."""
        self._exponential = wanted

    def count_slices(self, wanted: bool, /) -> None:
        """See `Counts`."""
        self._slices = wanted

    def add(self, record: Record, /) -> None:
        """See `Counts`."""
        with self._lock:
            self._add(record)
            if self._slices:
                self._waiting.append(record)
                if len(self._waiting) >= _MOST_WAITING:
                    self._add_up()

    def _add(self, record: Record) -> None:
        found = self._requests.get(record.series)
        if found is None:
            found = self._requests[record.series] = self._new(self.bounds, exponential=self._exponential)
        self._count(found, self.bounds, record.nanoseconds / _NANOSECONDS, record)
        group = self._groups[record.series]
        stages = self._stages.get(group)
        if stages is None:
            stages = self._stages[group] = [None] * len(STAGES)
        for place, nanoseconds in enumerate(record.times):
            if nanoseconds:
                stage = stages[place]
                if stage is None:
                    stage = stages[place] = self._new(self.stage_bounds)
                self._count(stage, self.stage_bounds, nanoseconds / _NANOSECONDS, record)

    def _new(self, bounds: tuple[float, ...], *, exponential: bool = False) -> _Accumulator:
        self._buckets += len(bounds) + 1 + (160 if exponential else 0)
        return _Accumulator(bounds, exponential=exponential)

    def _count(self, found: _Accumulator, bounds: tuple[float, ...], seconds: float, record: Record) -> None:
        bucket = bisect_left(bounds, seconds)
        found.counts[bucket] += 1
        found.sum += seconds
        if found.exponential is not None:
            found.exponential.add(seconds)
        if record.kept and self._exemplars:
            exemplars = found.exemplars
            if exemplars is None:
                exemplars = found.exemplars = {}
            self._held_exemplars += bucket not in exemplars
            exemplars[bucket] = Exemplar(seconds, record.trace_id, record.ended_ns)

    def _add_up(self) -> None:
        """Add the records that wait to the slice of now."""
        records: defaultdict[int, list[Record]] = defaultdict(list)
        for record in self._waiting:
            records[record.series].append(record)
        self._waiting.clear()
        for series, of_series in records.items():
            cell = self._open.get(series)
            if cell is None:
                cell = self._open[series] = Cell()
            before = len(cell.bins)
            cell.add_records(of_series)
            self._bins += len(cell.bins) - before

    def requests(self) -> Mapping[Series, Distribution]:
        """See `Counts`."""
        series = self.series.all
        with self._lock:
            return {series[number]: found.told() for number, found in self._requests.items()}

    def stages(self) -> Mapping[StageSeries, Distribution]:
        """See `Counts`."""
        groups = self.series.groups
        with self._lock:
            return {
                StageSeries(*groups[group], STAGES[place]): found.told()
                for group, stages in self._stages.items()
                for place, found in enumerate(stages)
                if found is not None
            }

    def slice(self) -> Mapping[Series, bytes]:
        """See `Counts`."""
        series = self.series.all
        with self._lock:
            self._add_up()
            return {series[number]: cell.packed() for number, cell in self._open.items()}

    def take_slice(self) -> Mapping[Series, bytes]:
        """See `Counts`."""
        series = self.series.all
        with self._lock:
            self._add_up()
            taken, self._open, self._bins = self._open, {}, 0
        return {series[number]: cell.packed() for number, cell in taken.items()}

    @property
    def size(self) -> int:
        """See `Counts`."""
        return (
            _PER_SERIES * len(self._groups)
            + _PER_BUCKET * self._buckets
            + _PER_EXEMPLAR * self._held_exemplars
            + _PER_CELL * len(self._open)
            + _PER_BIN * self._bins
            + _PER_WAITING * len(self._waiting)
        )
