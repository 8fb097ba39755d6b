"""The page for Prometheus: all metrics, in its text format, or in OpenMetrics with exemplars, whichever it asks for."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, PlatformCollector
from prometheus_client.core import CounterMetricFamily, Exemplar, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from milvus_otel_processor.telemetry.family import (
    COUNTER,
    GAUGE,
    HISTOGRAM,
    Buckets,
    Family,
    parted,
    prometheus_label,
    prometheus_name,
)
from milvus_otel_processor.telemetry.instruments import METRICS, PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client.core import Metric

    from milvus_otel_processor.telemetry.family import Source
    from milvus_otel_processor.telemetry.metric import Metric as Instrument

_FAMILIES = {COUNTER: CounterMetricFamily, GAUGE: GaugeMetricFamily, HISTOGRAM: HistogramMetricFamily}
_SUFFIX = {COUNTER: "_total", GAUGE: ""}
_NANOSECONDS = 1e9


class _Families(Collector):
    def __init__(self, source: Source) -> None:
        self._source = source

    def collect(self) -> Iterable[Metric]:
        return [_metric(family) for family in self._source(False)]


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


def registry(source: Source) -> CollectorRegistry:
    """Return a registry of all metrics that `source` has whenever they are read."""
    made = CollectorRegistry()
    made.register(_Families(source))
    PlatformCollector(registry=made)
    return made


def reference() -> str:
    """Return docs/metrics.md."""
    return _HEAD + "".join(map(_row, METRICS))


def _row(metric: Instrument) -> str:
    name = f"{PREFIX}{metric.name}{'_total' if metric.kind == COUNTER else ''}"
    labels, alerts = ", ".join(map(_shown, metric.labels)), ", ".join(metric.alerts)
    cells = (f"`{name}`", metric.kind, _shown(parted(metric.name)[1]), labels, metric.text, alerts)
    return f"| {' | '.join(cells)} |\n"


def _shown(word: str) -> str:
    return f"`{word}`" if word else ""


_HEAD = """\
# Metrics

<!-- Written from the code by `uv run python -m milvus_otel_processor.telemetry.metrics > docs/metrics.md`. -->

The processor's own metrics, in Prometheus' text format on `/metrics` of each reader that the configuration names:

```yaml
service:
  telemetry:
    metrics:
      readers: [{pull: {exporter: {prometheus: {host: localhost, port: 18888}}}}]
```

At the same address, `/health` answers 200 while requests are taken and 503 with the reason while they are refused, and
`/health/alive` answers 200 as long as the process does.

Every span that comes in is counted in exactly one of `receiver_refused_spans`, `processor_decided_spans`,
`processor_late_spans` and `processor_waiting_spans`; one that is to be kept, in exactly one of `exporter_sent_spans`,
`exporter_queued_spans` and `lost_spans`. The reasons for which spans are lost:

| reason | what happened | what to do |
| --- | --- | --- |
| `failed` | enrichment or a policy failed at the trace: a fault of the processor; the log has its traceback | report it |
| `malformed` | a span inside a valid request is not valid protobuf | look for what sends it |
| `rejected` | the exporter's peer refused spans for good | its answer is in the log |
| `retries_exhausted` | the peer was away longer than `retry_on_failure.max_elapsed_time` | raise that, or bring the peer back |
| `shutdown` | the processor stopped before the peer took them, or was told to drop what waits | |

The reasons for which requests are refused whole. For those marked *again* the answer is `RESOURCE_EXHAUSTED` with a
`RetryInfo`, so that senders, the Collector for one, keep the data and send it again:

| reason | | what happened | what to do |
| --- | --- | --- | --- |
| `memory_limit` | again | all the memory that there is is used up | give it more, or several processors; see why its peer is slow |
| `storage_full` | again | the storage has reached `max_size_mib` | see why the exporter's peer is away; a larger disk |
| `storage_failed` | again | the storage cannot be written to | look at the disk; it goes on by itself when that works again |
| `recovering` | again | what an earlier process had acknowledged is taken in first | wait |
| `read_timeout` | again | a request was announced, and did not arrive in time | look for what sends it |
| `shutdown` | again | the processor stops | |
| `malformed_request` | | it is not valid protobuf, or cannot be inflated | look for what sends it |
| `too_large` | | it is larger than `max_recv_msg_size_mib`, or than the whole memory limit | smaller batches at the sender |
| `unauthenticated` | | no token, or a wrong one | see that sender and receiver have the same |

Beside these there are Prometheus' own metrics of a process (`process_resident_memory_bytes`, `process_cpu_seconds_total`,
`process_start_time_seconds`, …), and `milvus_otel_build_info` with the version. Label values that are known before anything
happened start at 0. What to be woken up by is in [compose/prometheus/alerts.yaml](../compose/prometheus/alerts.yaml); the last
column names the alerts that look at a metric, and [operations.md](operations.md) says what to do about each.

| metric | kind | unit | labels | what it counts | alert |
| --- | --- | --- | --- | --- | --- |
"""

if __name__ == "__main__":
    print(reference(), end="")  # noqa: T201 - a program that prints
