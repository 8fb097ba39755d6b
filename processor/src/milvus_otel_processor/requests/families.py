"""The metrics of all requests, as every reader of metrics gets them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from milvus_otel_processor.telemetry.family import HISTOGRAM, Buckets, Family, Point

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from milvus_otel_processor.requests.counts import Counts, Distribution, StageSeries
    from milvus_otel_processor.requests.record import Series
    from milvus_otel_processor.telemetry.family import Value

DURATION: Final = "milvus.request.duration"
STAGE_DURATION: Final = "milvus.request.stage.duration"
"""Their names; docs/observability.md says more of them."""

_ATTRIBUTES = ("db.namespace", "db.collection.name", "db.operation.name", "error.type", "service.name")
"""Of a series, in its order."""
_STAGE_ATTRIBUTES = (*_ATTRIBUTES[:3], "stage")


class Counted(NamedTuple):
    """What was counted up to one moment."""

    requests: Mapping[Series, Distribution]
    stages: Mapping[StageSeries, Distribution]
    bounds: tuple[float, ...]
    stage_bounds: tuple[float, ...]

    @classmethod
    def up_to_now(cls, counts: Counts) -> Counted:
        """Return what is counted; one moment only where nobody counts meanwhile."""
        return cls(counts.requests(), counts.stages(), counts.bounds, counts.stage_bounds)


def request_metrics(counted: Counted, *, exponential: bool) -> Iterator[Family]:
    """Yield the metrics of what is counted."""
    yield Family(
        DURATION,
        HISTOGRAM,
        "s",
        "How long Milvus took for each request, kept or not.",
        [
            Point(dict(zip(_ATTRIBUTES, series, strict=True)), _value(one, counted.bounds, exponential=exponential))
            for series, one in counted.requests.items()
        ],
    )
    yield Family(
        STAGE_DURATION,
        HISTOGRAM,
        "s",
        "How long each request, kept or not, was in each stage that its spans tell.",
        [
            Point(
                dict(zip(_STAGE_ATTRIBUTES, series, strict=True)), _value(one, counted.stage_bounds, exponential=False)
            )
            for series, one in counted.stages.items()
        ],
    )


def _value(one: Distribution, bounds: tuple[float, ...], *, exponential: bool) -> Value:
    if exponential and one.exponential is not None:
        return one.exponential
    return Buckets(bounds, one.counts, one.sum, one.exemplars)
