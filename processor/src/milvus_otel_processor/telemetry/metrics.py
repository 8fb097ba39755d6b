"""The processor's own metrics, for Prometheus to scrape: each counter of `telemetry`, described once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from pydantic import Field

from milvus_otel_processor.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from threading import Thread
    from wsgiref.simple_server import WSGIServer

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


class Description(NamedTuple):
    """One metric: a counter's name goes without `_total`, which Prometheus adds."""

    name: str
    kind: type[CounterMetricFamily | GaugeMetricFamily]
    labels: tuple[str, ...]
    text: str
    values: Callable[[Snapshot], Values]


def _one(number: float) -> Values:
    return {(): number}


def _by(counts: Mapping[str, float]) -> Values:
    return {(key,): count for key, count in counts.items()}


_COUNTER, _GAUGE = CounterMetricFamily, GaugeMetricFamily

METRICS = (
    Description(
        "receiver_accepted_spans",
        _COUNTER,
        (),
        "Spans taken in.",
        lambda now: _one(now.received_spans - sum(now.refused_spans.values())),
    ),
    Description(
        "processor_recovered_spans",
        _COUNTER,
        ("state",),
        "Spans that an earlier process left on disk: `taken_in` again, to be decided; `kept`, to be sent; `sent` already, and "
        "left out.",
        lambda now: {
            ("taken_in",): now.recovered_spans,
            ("kept",): now.recovered_kept_spans,
            ("sent",): now.recovered_sent_spans,
        },
    ),
    Description(
        "receiver_refused_spans",
        _COUNTER,
        ("reason",),
        "Spans refused; the sender was told.",
        lambda now: _by(now.refused_spans),
    ),
    Description(
        "receiver_refused_requests",
        _COUNTER,
        ("reason",),
        "Requests refused whole; the sender was told.",
        lambda now: _by(now.refused_requests),
    ),
    Description(
        "processor_enriched_spans",
        _COUNTER,
        ("source",),
        "Spans given attributes, by the source that knew them.",
        lambda now: _by(now.enriched_spans),
    ),
    Description(
        "processor_enriched_requests",
        _COUNTER,
        ("source",),
        "Milvus requests by the source that named their collection; `no_collection` where there is none to name, "
        "`ambiguous` where there was more than one answer, "
        "`unknown` where no source knew.",
        lambda now: _by(now.enriched_requests),
    ),
    Description(
        "processor_access_log_lines",
        _COUNTER,
        ("state",),
        "Lines of Milvus' access log: `received`; `evicted` of these, too many to hold; `doubled`; `malformed`, not whole; "
        "`foreign`, of another format.",
        lambda now: _by(now.access_log_lines),
    ),
    Description(
        "processor_catalogue_refreshes",
        _COUNTER,
        ("result",),
        "Readings of Milvus' collections: `ok`, or the reason why not, such as `unauthenticated`.",
        lambda now: _by(now.catalogue_refreshes),
    ),
    Description(
        "processor_source_failures",
        _COUNTER,
        ("source",),
        "Exceptions raised by sources of the user's own.",
        lambda now: _by(now.source_failures),
    ),
    Description(
        "processor_missing_collections",
        _GAUGE,
        ("policy",),
        "Collections that a policy names and Milvus does not have, as far as its user sees; once the catalogue is read.",
        lambda now: _by(now.missing_collections),
    ),
    Description(
        "processor_stage_seconds",
        _COUNTER,
        ("processor",),
        "Seconds that each processor but `tail_sampling` took for traces at their decision.",
        lambda now: _by(now.stage_seconds),
    ),
    Description(
        "processor_stage_failures",
        _COUNTER,
        ("processor",),
        "Exceptions in a processor, of the user's own or not; the spans went on without what it would have added.",
        lambda now: _by(now.stage_failures),
    ),
    Description(
        "processor_decided_traces",
        _COUNTER,
        ("decision", "policy"),
        "Traces decided, by decision and policy; no policy where none sampled the trace.",
        lambda now: {key: amount.traces for key, amount in now.decisions.items()},
    ),
    Description(
        "processor_decided_spans",
        _COUNTER,
        ("decision", "policy"),
        "Spans of the traces decided, by decision and policy.",
        lambda now: {key: amount.spans for key, amount in now.decisions.items()},
    ),
    Description(
        "processor_shadow_traces",
        _COUNTER,
        ("policy", "would", "decision"),
        "Traces that a policy with `mode: shadow` would have decided, with what was decided instead.",
        lambda now: {key: amount.traces for key, amount in now.shadow_decisions.items()},
    ),
    Description(
        "processor_policy_evaluation_errors",
        _COUNTER,
        ("policy",),
        "Times that a policy had no answer for a trace, such as an `ottl_condition` with `error_mode: propagate`; the trace then "
        "counts as not sampled by it.",
        lambda now: _by(now.evaluation_errors),
    ),
    Description(
        "processor_late_spans",
        _COUNTER,
        ("decision",),
        "Spans that came after the decision over their trace, and followed it.",
        lambda now: _by(now.late_spans),
    ),
    Description(
        "processor_early_decisions",
        _COUNTER,
        ("reason",),
        "Traces decided before their time, because a limit was reached or a policy had sampled them for good; not those that their "
        "root dropped at once, nor complete ones.",
        lambda now: _by(now.early_decisions),
    ),
    Description(
        "processor_invalid_trace_states",
        _COUNTER,
        (),
        "Kept spans whose trace state could not take the adjusted count.",
        lambda now: _one(now.invalid_trace_states),
    ),
    Description(
        "processor_waiting_traces",
        _GAUGE,
        (),
        "Traces that wait for their decision.",
        lambda now: _one(now.waiting_traces),
    ),
    Description(
        "processor_waiting_spans",
        _GAUGE,
        (),
        "Spans that wait for their decision.",
        lambda now: _one(now.waiting_spans),
    ),
    Description("processor_waiting_bytes", _GAUGE, (), "Bytes of these spans.", lambda now: _one(now.waiting_bytes)),
    Description(
        "exporter_sent_spans",
        _COUNTER,
        (),
        "Spans that the exporter's peer took.",
        lambda now: _one(now.exported_spans),
    ),
    Description(
        "exporter_queued_spans",
        _GAUGE,
        (),
        "Spans that wait to be sent, or are under way.",
        lambda now: _one(now.queued_spans),
    ),
    Description(
        "exporter_retries", _COUNTER, (), "Requests sent again after a failure.", lambda now: _one(now.retries)
    ),
    Description(
        "lost_spans",
        _COUNTER,
        ("reason",),
        "Spans that no rule dropped and that nevertheless did not get through.",
        lambda now: _by(now.lost_spans),
    ),
)
"""All of the metrics; docs/metrics.md is this list."""

PREFIX = "milvus_otel_"


class _Snapshots(Collector):
    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterable[Metric]:
        now = self._snapshot()
        return list(_families(now))


def _families(now: Snapshot) -> Iterator[Metric]:
    for metric in METRICS:
        family = metric.kind(PREFIX + metric.name, metric.text, labels=metric.labels)
        for labels, value in metric.values(now).items():
            family.add_metric(labels, value)
        yield family


def serve(settings: PrometheusSettings, snapshot: Callable[[], Snapshot]) -> tuple[WSGIServer, Thread]:
    """Answer scrapes with what `snapshot` returns; the server's `shutdown` ends it. Raises OSError where the port is taken."""
    registry = CollectorRegistry()
    registry.register(_Snapshots(snapshot))
    return start_http_server(settings.port, addr=settings.host, registry=registry)


def reference() -> str:
    """Return docs/metrics.md."""
    rows = [
        f"| `{PREFIX}{metric.name}{'_total' if metric.kind is _COUNTER else ''}` | "
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
