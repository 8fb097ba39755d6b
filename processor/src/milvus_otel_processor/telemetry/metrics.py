"""The reference of the processor's own metrics, docs/metrics.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milvus_otel_processor.telemetry.family import COUNTER, parted
from milvus_otel_processor.telemetry.instruments import METRICS, PREFIX

if TYPE_CHECKING:
    from milvus_otel_processor.telemetry.metric import Metric as Instrument


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
| `malformed` | a span inside a valid request is not valid protobuf, and had to be read | look for what sends it |
| `rejected` | the exporter's peer refused spans for good | its answer is in the log |
| `retries_exhausted` | the peer was away longer than `retry_on_failure.max_elapsed_time` | raise that, or bring the peer back |
| `shutdown` | the processor stopped before the peer took them, or was told to drop what waits | |

A span has to be read where a rule or enrichment asks for its attributes, and before it is sent. What is dropped unread is
[not examined](decisions.md#spans-stay-bytes-and-one-place-knows-how-to-read-them): its decision is `not_sampled` or `dropped`,
malformed or not.

With a [pipeline for logs](observability.md#logs-sampled-with-their-trace) the same reasons are those of `lost_log_records`
(`malformed`: a record; `failed`: redaction), and one more:

| reason | what happened | what to do |
| --- | --- | --- |
| `queue_full` | too many wait to be sent; these came with lines of the access log, never refused | see why the peer is slow |

A log record that came in is lost as `malformed` or `queue_full`, or in exactly one of `processor_decided_log_records` and
`processor_waiting_log_records`; one that is to be kept, in one of `exporter_sent_log_records`, `exporter_queued_log_records` and
`lost_log_records`.

The reasons for which requests are refused whole. For those marked *again* the answer is `RESOURCE_EXHAUSTED` with a
`RetryInfo`, so that senders, the Collector for one, keep the data and send it again:

| reason | | what happened | what to do |
| --- | --- | --- | --- |
| `memory_limit` | again | all the memory that there is is used up | give it more, or several processors; see why its peer is slow |
| `storage_full` | again | the storage has reached `max_size_mib` | see why the exporter's peer is away; a larger disk |
| `storage_failed` | again | the storage cannot be written to | look at the disk; it goes on by itself when that works again |
| `recovering` | again | what an earlier process had acknowledged is taken in first | wait |
| `logs_queue_full` | again | too many log records wait to be sent (requests of logs alone) | see why their peer is away |
| `read_timeout` | again | a request was announced, and did not arrive in time | look for what sends it |
| `shutdown` | again | the processor stops | |
| `malformed_request` | | it is not valid protobuf, or cannot be inflated | look for what sends it |
| `too_large` | | inflated, it is larger than `max_recv_msg_size_mib`, or than the whole memory limit | smaller batches there |
| `cancelled` | | its sender gave up, or it is larger than `max_recv_msg_size_mib`: gRPC tells the sender | smaller batches there |
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
