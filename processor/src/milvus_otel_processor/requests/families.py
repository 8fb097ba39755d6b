"""The metrics of all requests, as every reader of metrics gets them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milvus_otel_processor.telemetry.family import HISTOGRAM, Buckets, Exemplar, Exponential, Family, Point

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from milvus_otel_processor.requests.histograms import Distribution, Histograms, StageSeries
    from milvus_otel_processor.requests.record import Series
    from milvus_otel_processor.telemetry.family import Source, Value

DURATION: Final = "milvus.request.duration"
STAGE_DURATION: Final = "milvus.request.stage.duration"
"""Their names; docs/observability.md says more of them."""

_ATTRIBUTES = ("db.namespace", "db.collection.name", "db.operation.name", "error.type", "service.name")
"""Of a series, in its order."""
_STAGE_ATTRIBUTES = (*_ATTRIBUTES[:3], "stage")


def request_metrics(histograms: Histograms, undisturbed: Callable[[Callable[[], object]], None]) -> Source:
    """Return the source of what these histograms count; `undisturbed` calls a function while they do not."""

    def read(exponential: bool) -> Iterator[Family]:
        requests: dict[Series, Distribution] = {}
        stages: dict[StageSeries, Distribution] = {}

        def copy() -> None:
            requests.update(histograms.requests())
            stages.update(histograms.stages())

        undisturbed(copy)
        wanted = exponential and histograms.exponential
        yield Family(
            DURATION,
            HISTOGRAM,
            "s",
            "How long Milvus took for each request, kept or not.",
            [
                Point(dict(zip(_ATTRIBUTES, series, strict=True)), _value(one, histograms.bounds, exponential=wanted))
                for series, one in requests.items()
            ],
        )
        yield Family(
            STAGE_DURATION,
            HISTOGRAM,
            "s",
            "How long each request, kept or not, was in each stage that its spans tell.",
            [
                Point(
                    dict(zip(_STAGE_ATTRIBUTES, series, strict=True)), _value(one, histograms.bounds, exponential=False)
                )
                for series, one in stages.items()
            ],
        )

    return read


def _value(distribution: Distribution, bounds: tuple[float, ...], *, exponential: bool) -> Value:
    exemplars = {place: Exemplar(*one) for place, one in distribution.exemplars.items()}
    found = distribution.exponential
    if exponential and found is not None:
        return Exponential(
            found.scale,
            found.zero_count,
            found.offset,
            found.counts,
            distribution.sum,
            tuple(exemplars.values()),
        )
    return Buckets(bounds, distribution.counts, distribution.sum, exemplars)
