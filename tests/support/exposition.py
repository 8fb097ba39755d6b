"""Metrics as prometheus_client writes them, to compare with what is written here."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

from milvus_otel_processor.telemetry.family import (
    COUNTER,
    GAUGE,
    HISTOGRAM,
    Buckets,
    Family,
    prometheus_label,
    prometheus_name,
)
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, Exemplar, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_open_metrics
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from prometheus_client.core import Metric

_FAMILIES = {COUNTER: CounterMetricFamily, GAUGE: GaugeMetricFamily, HISTOGRAM: HistogramMetricFamily}
_SUFFIX = {COUNTER: "_total", GAUGE: ""}
_NANOSECONDS = 1e9


class _Families(Collector):
    def __init__(self, families: Sequence[Family]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return map(_metric, self._families)


def _metric(family: Family) -> Metric:
    name = prometheus_name(family.name, family.unit)
    metric: Metric = _FAMILIES[family.kind](name, family.text)
    for attributes, value in family.points:
        labels = {prometheus_label(key): text for key, text in attributes.items()}
        if isinstance(value, Buckets):
            metric.samples.extend(_samples(name, labels, value))
        elif isinstance(value, int | float):
            metric.samples.append(Sample(metric.name + _SUFFIX[family.kind], labels, value))
    return metric


def _samples(name: str, labels: dict[str, str], histogram: Buckets) -> Iterator[Sample]:
    bounds = (*map(str, histogram.bounds), "+Inf")
    total = 0
    for index, (bound, total) in enumerate(zip(bounds, accumulate(histogram.counts), strict=True)):
        found = histogram.exemplars.get(index)
        exemplar = None
        if found is not None:
            exemplar = Exemplar({"trace_id": found.trace_id.hex()}, found.value, found.time_ns / _NANOSECONDS)
        yield Sample(f"{name}_bucket", {**labels, "le": bound}, total, exemplar=exemplar)
    yield Sample(f"{name}_count", labels, total)
    yield Sample(f"{name}_sum", labels, histogram.sum)


def written(families: Sequence[Family], *, open_metrics: bool) -> bytes:
    """Return the page of these families."""
    registry = CollectorRegistry()
    registry.register(_Families(families))
    encode: Callable[[CollectorRegistry], bytes] = generate_open_metrics if open_metrics else generate_latest
    return encode(registry)
