"""The processor's own counters, and what there is to say of its process, as families for every reader of metrics."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector

from milvus_otel_processor.telemetry.family import COUNTER, GAUGE, Buckets, Family, Point, parted
from milvus_otel_processor.telemetry.instruments import METRICS, PREFIX
from milvus_otel_processor.telemetry.metric import Histogram

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from milvus_otel_processor.telemetry.counters import Snapshot
    from milvus_otel_processor.telemetry.family import Source, Value

PACKAGE = "milvus-otel-processor"


def own_metrics(snapshot: Callable[[], Snapshot]) -> Source:
    """Return the source of all metrics of `instruments.py`, read from what `snapshot` returns then."""

    def read(_: bool) -> Iterator[Family]:
        now = snapshot()
        for metric in METRICS:
            name, unit = parted(PREFIX + metric.name)
            values = {**dict.fromkeys(metric.known(now), 0.0), **metric.values(now)}
            points = [Point(dict(zip(metric.labels, labels, strict=True)), _value(v)) for labels, v in values.items()]
            yield Family(name, metric.kind, unit, metric.text, points)

    return read


def _value(value: float | Histogram) -> Value:
    return Buckets(value.bounds, value.counts, value.sum) if isinstance(value, Histogram) else value


def process_metrics() -> Source:
    """Return the source of what Prometheus' clients say of a process (`process_…`), and of our version."""
    collector = ProcessCollector(registry=CollectorRegistry())
    about = "The processor's version."
    build = Family("milvus_otel_build_info", GAUGE, "", about, [Point({"version": version(PACKAGE)}, 1.0)])

    def read(_: bool) -> Iterator[Family]:
        for metric in collector.collect():
            name, unit = parted(metric.name)
            kind = COUNTER if metric.type == COUNTER else GAUGE
            yield Family(name, kind, unit, metric.documentation, [Point(s.labels, s.value) for s in metric.samples])
        yield build

    return read


def platform_metrics() -> Source:
    """Return the source of what Prometheus' clients say of Python (`python_info`), on their pages alone."""
    families = [
        Family(one.name, GAUGE, "", one.documentation, [Point(s.labels, s.value) for s in one.samples])
        for one in PlatformCollector(registry=None).collect()
    ]
    return lambda _: families


def together(*sources: Source) -> Source:
    """Return one source of all of them."""

    def read(exponential: bool) -> Iterator[Family]:
        for source in sources:
            yield from source(exponential)

    return read
