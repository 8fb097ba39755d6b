"""The metrics of all requests, as every reader of metrics gets them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milvus_otel_processor.telemetry.family import HISTOGRAM, Buckets, Family, Point

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milvus_otel_processor.requests.counts import Counts, Distribution
    from milvus_otel_processor.telemetry.family import Source, Value

DURATION: Final = "milvus.request.duration"
STAGE_DURATION: Final = "milvus.request.stage.duration"
"""Their names; docs/observability.md says more of them."""

_ATTRIBUTES = ("db.namespace", "db.collection.name", "db.operation.name", "error.type", "service.name")
"""Of a series, in its order."""
_STAGE_ATTRIBUTES = (*_ATTRIBUTES[:3], "stage")


def request_metrics(counts: Counts) -> Source:
    """Return the source of what is counted here; any thread may read it."""

    def read(exponential: bool) -> Iterator[Family]:
        yield Family(
            DURATION,
            HISTOGRAM,
            "s",
            "How long Milvus took for each request, kept or not.",
            [
                Point(dict(zip(_ATTRIBUTES, series, strict=True)), _value(one, counts.bounds, exponential=exponential))
                for series, one in counts.requests().items()
            ],
        )
        yield Family(
            STAGE_DURATION,
            HISTOGRAM,
            "s",
            "How long each request, kept or not, was in each stage that its spans tell.",
            [
                Point(
                    dict(zip(_STAGE_ATTRIBUTES, series, strict=True)),
                    _value(one, counts.stage_bounds, exponential=False),
                )
                for series, one in counts.stages().items()
            ],
        )

    return read


def _value(one: Distribution, bounds: tuple[float, ...], *, exponential: bool) -> Value:
    if exponential and one.exponential is not None:
        return one.exponential
    return Buckets(bounds, one.counts, one.sum, one.exemplars)
