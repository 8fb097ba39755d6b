"""The processor's own metrics, for Prometheus to scrape: each instrument as `instruments.py` states it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from pydantic import Field

from milvus_otel_processor.settings import Settings
from milvus_otel_processor.telemetry.instruments import COUNTER, GAUGE, METRICS, PREFIX
from milvus_otel_processor.telemetry.scrapes import ScrapeServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from prometheus_client.core import Metric

    from milvus_otel_processor.telemetry.counters import Snapshot

    Values = Mapping[tuple[str, ...], float]


class PrometheusSettings(Settings):
    """Where Prometheus scrapes."""

    host: str = Field(default="localhost", min_length=1, description="Address to listen on.")
    port: int = Field(ge=0, le=65535, description="Port to listen on.")


class PullExporterSettings(Settings):
    """The exporter of a pull reader."""

    prometheus: PrometheusSettings = Field(description="Metrics in Prometheus' text format, on `/metrics`.")


class PullSettings(Settings):
    """A reader that waits to be asked."""

    exporter: PullExporterSettings = Field(description="What it answers with.")


class ReaderSettings(Settings):
    """One way to read the metrics."""

    pull: PullSettings = Field(description="Wait to be asked; the only way here.")


class MetricsSettings(Settings):
    """`service.telemetry.metrics`: the Collector's block, with the readers that there are here."""

    level: Literal["none", "basic", "normal", "detailed"] = Field(
        default="normal", description="`none` turns the metrics off; the others are the same here."
    )
    readers: list[ReaderSettings] = Field(
        default=[], description="Where the metrics can be read; without one, nowhere."
    )

    @property
    def endpoints(self) -> list[PrometheusSettings]:
        """Where to listen."""
        return [] if self.level == "none" else [reader.pull.exporter.prometheus for reader in self.readers]


_FAMILIES = {COUNTER: CounterMetricFamily, GAUGE: GaugeMetricFamily}


class _Snapshots(Collector):
    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterable[Metric]:
        now = self._snapshot()
        return list(_families(now))


def _families(now: Snapshot) -> Iterator[Metric]:
    for metric in METRICS:
        family = _FAMILIES[metric.kind](PREFIX + metric.name, metric.text, labels=metric.labels)
        for labels, value in metric.values(now).items():
            family.add_metric(labels, value)
        yield family


def serve(settings: PrometheusSettings, snapshot: Callable[[], Snapshot]) -> ScrapeServer:
    """Answer scrapes with what `snapshot` returns, until the server is stopped. Raises OSError where the port is taken."""
    registry = CollectorRegistry()
    registry.register(_Snapshots(snapshot))
    server = ScrapeServer(settings.host, settings.port, registry)
    server.start()
    return server


def reference() -> str:
    """Return docs/metrics.md."""
    rows = [
        f"| `{PREFIX}{metric.name}{'_total' if metric.kind == COUNTER else ''}` | "
        f"{', '.join(f'`{label}`' for label in metric.labels)} | {metric.text} |\n"
        for metric in METRICS
    ]
    return _HEAD + "".join(rows)


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

| metric | labels | what it counts |
| --- | --- | --- |
"""

if __name__ == "__main__":
    print(reference(), end="")  # noqa: T201 - a program that prints
