"""Metrics in the OpenTelemetry SDK's own data model. Imported only where metrics are sent: the SDK takes memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.metrics._internal.exemplar import Exemplar as SdkExemplar
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.metrics.export import (
    Buckets as SdkBuckets,
)

from milvus_otel_processor.telemetry.family import COUNTER, HISTOGRAM, Buckets, Exponential

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    from milvus_otel_processor.telemetry.family import Exemplar, Family, Point

_CUMULATIVE = AggregationTemporality.CUMULATIVE
_UNKNOWN: Any = None
"""The least and greatest value, which are not kept; OTLP leaves them out then."""
_NO_SPAN = 0
"""The span of an exemplar: without one the SDK leaves the trace out, too; 0 is OTLP's way to say that there is none."""


def metrics_data(
    families: Iterable[Family], resource: Resource, scope: InstrumentationScope, start_ns: int, now_ns: int
) -> MetricsData:
    """Return all families as of `now_ns`, counted since `start_ns`, both Unix time; families without points are left out."""
    metrics = [
        Metric(family.name, family.text, family.unit, _data(family, start_ns, now_ns))
        for family in families
        if family.points
    ]
    return MetricsData([ResourceMetrics(resource, [ScopeMetrics(scope, metrics, "")], "")])


def _data(family: Family, start_ns: int, now_ns: int) -> Sum | Gauge | Histogram | ExponentialHistogram:
    if family.kind == HISTOGRAM:
        points = [_histogram(point, start_ns, now_ns) for point in family.points]
        kind: Any = Histogram if isinstance(points[0], HistogramDataPoint) else ExponentialHistogram
        histogram: Histogram | ExponentialHistogram = kind(points, _CUMULATIVE)
        return histogram
    numbers = [
        NumberDataPoint(_attributes(point), start_ns, now_ns, point.value)
        for point in family.points
        if isinstance(point.value, int | float)
    ]
    return Sum(numbers, _CUMULATIVE, is_monotonic=True) if family.kind == COUNTER else Gauge(numbers)


def _histogram(point: Point, start_ns: int, now_ns: int) -> HistogramDataPoint | ExponentialHistogramDataPoint:
    attributes, value = _attributes(point), point.value
    if isinstance(value, Exponential):
        return ExponentialHistogramDataPoint(
            attributes,
            start_ns,
            now_ns,
            value.total,
            value.sum,
            value.scale,
            value.zero_count,
            SdkBuckets(value.offset, value.counts),
            SdkBuckets(0, []),
            0,
            _UNKNOWN,
            _UNKNOWN,
            _exemplars(value.exemplars),
        )
    assert isinstance(value, Buckets)
    return HistogramDataPoint(
        attributes,
        start_ns,
        now_ns,
        value.total,
        value.sum,
        value.counts,
        value.bounds,
        _UNKNOWN,
        _UNKNOWN,
        _exemplars(list(value.exemplars.values())),
    )


def _attributes(point: Point) -> dict[str, str]:
    return {key: text for key, text in point.attributes.items() if text}


def _exemplars(found: Sequence[Exemplar]) -> list[SdkExemplar]:
    return [SdkExemplar({}, one.value, one.time_ns, _NO_SPAN, int.from_bytes(one.trace_id, "big")) for one in found]
