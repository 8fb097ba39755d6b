"""What became of every log record: the counts, the metrics that show them, and how they are counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import TYPE_CHECKING, Any

from milvus_otel_processor.telemetry import reasons
from milvus_otel_processor.telemetry.family import COUNTER, GAUGE
from milvus_otel_processor.telemetry.metric import Metric

if TYPE_CHECKING:
    from collections.abc import Callable

    from milvus_otel_processor.telemetry.reasons import Lost


@dataclass
class LogCounts:
    """The counts at one moment, since the start; all are 0 without a pipeline for logs.

    A record that came in is lost as `malformed` or `queue_full`, or decided, or waits. One that was sampled is sent, lost or
    queued.
    """

    received: int = 0
    decided: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By `sampled` or `not_sampled`, and by what it was decided by."""
    waiting: int = 0
    waiting_bytes: int = 0
    sent: int = 0
    retries: int = 0
    queued: int = 0
    queued_bytes: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    redactions: Counter[str] = field(default_factory=Counter)


def _metric(name: str, kind: str, text: str, read: Callable[[LogCounts], int]) -> Metric:
    return Metric(name, kind, (), text, lambda now: {(): read(now.logs)})


METRICS = (
    _metric("receiver_accepted_log_records", COUNTER, "Log records taken in.", lambda logs: logs.received),
    Metric(
        "processor_decided_log_records",
        COUNTER,
        ("decision", "reason"),
        "Log records by what became of them and why: `trace`, as was decided over their trace; else by settings of "
        "`log_sampling`: `without_trace_id`; `unknown_trace`; `max_size_mib`, decided early; `shutdown`, before their trace was.",
        lambda now: now.logs.decided,
        lambda _: [(decision, reason) for decision in reasons.LOG_DECISIONS for reason in reasons.LOG_DECIDED_BY],
    ),
    _metric(
        "processor_waiting_log_records",
        GAUGE,
        "Log records that wait for the decision over their trace.",
        lambda logs: logs.waiting,
    ),
    _metric("processor_waiting_log_bytes", GAUGE, "Memory of these records.", lambda logs: logs.waiting_bytes),
    Metric(
        "processor_log_redactions",
        COUNTER,
        ("action",),
        "Attributes and bodies of log records that the `redaction` processor removed (`redacted`) or masked.",
        lambda now: {(action,): times for action, times in now.logs.redactions.items()},
        lambda _: [(action,) for action in reasons.REDACTIONS],
    ),
    _metric("exporter_sent_log_records", COUNTER, "Log records that the peer took.", lambda logs: logs.sent),
    _metric(
        "exporter_log_retries",
        COUNTER,
        "Requests of log records sent again after a failure.",
        lambda logs: logs.retries,
    ),
    _metric(
        "exporter_queued_log_records",
        GAUGE,
        "Log records that wait to be sent, or are under way.",
        lambda logs: logs.queued,
    ),
    _metric("exporter_queued_log_bytes", GAUGE, "Memory of these records.", lambda logs: logs.queued_bytes),
    Metric(
        "lost_log_records",
        COUNTER,
        ("reason",),
        "Log records that were not dropped with their trace, nor by a setting, and that nevertheless did not get through.",
        lambda now: {(reason,): times for reason, times in now.logs.lost.items()},
        lambda _: [(reason,) for reason in reasons.LOST_LOG_RECORDS],
        alerts=("MilvusOtelLogRecordsLost",),
    ),
)
"""The metrics of log records."""


class LogTelemetry:
    """The counts as they change; may be called from any thread. An exporter counts records here as it does spans in `Telemetry`."""

    def __init__(self) -> None:
        self._counts = LogCounts()
        self._lock = Lock()
        self._waiting: Callable[[], tuple[int, int]] = lambda: (0, 0)
        self._queued_bytes: Callable[[], int] = lambda: 0

    @property
    def redactions(self) -> dict[str, int]:
        """The counts of what was redacted, to be added to by calls that are serialized."""
        return self._counts.redactions

    def watch_waiting(self, waiting: Callable[[], tuple[int, int]], queued_bytes: Callable[[], int]) -> None:
        """Have snapshots ask these: how many records wait and their bytes, and the bytes of those that wait to be sent."""
        self._waiting, self._queued_bytes = waiting, queued_bytes

    def received(self, records: int) -> None:
        """Count records that were taken in."""
        with self._lock:
            self._counts.received += records

    def decided(self, reason: str, records: int, *, sampled: bool) -> None:
        """Count records over which was decided."""
        with self._lock:
            self._counts.decided[reasons.SAMPLED if sampled else reasons.NOT_SAMPLED, reason] += records

    def queued(self, records: int) -> None:
        """Count records that were given to the exporter."""
        with self._lock:
            self._counts.queued += records

    def exported(self, records: int) -> None:
        """Count records that the peer has taken."""
        with self._lock:
            self._counts.queued -= records
            self._counts.sent += records

    def lost(self, reason: Lost, records: int, *, queued: bool = True) -> None:
        """Count records that are lost; `queued` tells whether the exporter had them."""
        with self._lock:
            self._counts.lost[reason.value] += records
            if queued:
                self._counts.queued -= records

    def retried(self) -> None:
        """Count a request that is sent again."""
        with self._lock:
            self._counts.retries += 1

    def sent_in(self, seconds: float) -> None:
        """Do nothing: how long requests take is counted of those with spans."""

    def recovered_kept(self, records: int) -> None:
        """Do nothing: no records are on disk."""

    def snapshot(self) -> LogCounts:
        """Return the counts as they are now."""
        waiting, waiting_bytes = self._waiting()
        queued_bytes = self._queued_bytes()
        with self._lock:
            now: dict[str, Any] = {
                name: Counter(getattr(self._counts, name)) for name in ("decided", "lost", "redactions")
            }
            return replace(self._counts, **now, waiting=waiting, waiting_bytes=waiting_bytes, queued_bytes=queued_bytes)
