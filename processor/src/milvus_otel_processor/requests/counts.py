"""The contract of what counts all requests: in Python, and in Rust, where the native store is used; both say the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from milvus_otel_processor.requests.record import Record, Series
    from milvus_otel_processor.requests.series import SeriesTable
    from milvus_otel_processor.telemetry.family import Exemplar, Exponential


class Distribution(NamedTuple):
    """How often durations were within each bucket, as it was at one moment."""

    counts: Sequence[int]
    """`counts[i]` are those above bound `i - 1` up to bound `i`, the last those above all bounds."""
    sum: float
    """Seconds."""
    exemplars: Mapping[int, Exemplar]
    """The last of each bucket, by its place."""
    exponential: Exponential | None
    """The same durations in finer buckets, where that is wanted."""

    @property
    def total(self) -> int:
        """How many there were."""
        return sum(self.counts)


class StageSeries(NamedTuple):
    """What the durations of a stage are counted under: less than a request's, as there are so many stages."""

    database: str
    collection: str
    operation: str
    stage: str


class Counts(Protocol):
    """Counts the duration of each request, of each stage that its spans tell, and what there was in a slice of time.

    Only kept traces become exemplars, so that each can be found. Any thread may read while another counts. Bounded by the number
    of series.
    """

    @property
    def series(self) -> SeriesTable:
        """What requests are counted under."""

    @property
    def bounds(self) -> tuple[float, ...]:
        """The upper bounds of the buckets of requests; seconds, rising."""

    @property
    def stage_bounds(self) -> tuple[float, ...]:
        """Likewise, of stages."""

    def add(self, record: Record, /) -> None:
        """Count a request, and its stages."""

    def count_exponentially(self, wanted: bool, /) -> None:
        """Count requests in exponential buckets as well, of series that come from now on."""

    def count_slices(self, wanted: bool, /) -> None:
        """Count slices from now on, or no more."""

    def requests(self) -> Mapping[Series, Distribution]:
        """Return how long requests took, since the start."""

    def stages(self) -> Mapping[StageSeries, Distribution]:
        """Return how long they were in each stage, since the start."""

    def slice(self) -> Mapping[Series, bytes]:
        """Return what there was of each series since the slice began, each as `Cell.packed` returns it."""

    def take_slice(self) -> Mapping[Series, bytes]:
        """Return the same, and begin another slice."""

    @property
    def size(self) -> int:
        """About how many bytes all of it takes."""
