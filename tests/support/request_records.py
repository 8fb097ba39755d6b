"""Records of requests, made up, with the names of their series and in seconds."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from milvus_otel_processor.requests.component import make_counts
from milvus_otel_processor.requests.families import Counted, request_metrics
from milvus_otel_processor.requests.record import STAGES, Record, Series
from milvus_otel_processor.requests.settings import RequestsSettings
from milvus_otel_processor.requests.span_metrics import span_metrics
from milvus_otel_processor.requests.windows import LIMIT, Windows

from tests.support import stores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from milvus_otel_processor.requests.counts import Counts
    from milvus_otel_processor.telemetry.family import Family, Source

NONE = (0.0,) * len(STAGES)
_NANOSECONDS = 1e9


class Made(NamedTuple):
    """A record as tests write it."""

    series: Series
    seconds: float
    times: tuple[float, ...] = NONE
    kept: bool = False
    trace_id: bytes = bytes(16)
    ended_ns: int = 0

    def of(self, counts: Counts) -> Record:
        """Return it with the number of its series."""
        times = tuple(round(one * _NANOSECONDS) for one in self.times)
        number, nanoseconds = counts.series.number(self.series), round(self.seconds * _NANOSECONDS)
        return Record(number, nanoseconds, times, self.kept, self.trace_id, self.ended_ns)

    @staticmethod
    def out_of(record: Record, counts: Counts) -> Made:
        """The other way round."""
        times = tuple(one / _NANOSECONDS for one in record.times)
        return Made(counts.series.all[record.series], record.nanoseconds / _NANOSECONDS, times, *record[3:])


class Observed(Windows):
    """Windows with what is counted for them."""

    def __init__(self, clock: Callable[[], float] = monotonic, limit: int = LIMIT) -> None:
        super().__init__(clock, limit)
        self.counts = counted()
        self.watch(self.counts)

    def observe(self, record: Made) -> None:
        self.counts.add(record.of(self.counts))


def source_of(counts: Counts, server: str | None = None) -> Source:
    """The metrics of what is counted there; for Jaeger as well, under the service `server`."""

    def read(exponential: bool) -> Iterator[Family]:
        now = Counted.up_to_now(counts)
        yield from request_metrics(now, exponential=exponential)
        if server is not None:
            yield from span_metrics(now, server)

    return read


def counted(
    *records: Made,
    bounds: Sequence[float] | None = None,
    max_series: int = 2000,
    exemplars: bool = True,
    exponential: bool = False,
) -> Counts:
    """Return what counted these records, beside the store that is to be used now."""
    settings = {"max_series": max_series, "exemplars": {"enabled": exemplars}}
    if bounds is not None:
        settings["histogram"] = {"explicit": {"buckets": list(bounds)}}
    counts = make_counts(stores.kind(), RequestsSettings.model_validate(settings))
    counts.count_exponentially(exponential)
    for one in records:
        counts.add(one.of(counts))
    return counts


def series(collection: str = "orders", operation: str = "Search", error: str = "", service: str = "shop") -> Series:
    return Series("default", collection, operation, error, service)


def times(**seconds: float) -> tuple[float, ...]:
    """Seconds by stage."""
    return tuple(seconds.get(stage, 0.0) for stage in STAGES)


def record(
    of: Series | None = None,
    seconds: float = 0.01,
    spent: tuple[float, ...] = NONE,
    *,
    kept: bool = False,
    trace: int = 1,
) -> Made:
    return Made(of or series(), seconds, spent, kept, trace.to_bytes(16))
