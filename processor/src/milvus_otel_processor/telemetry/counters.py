"""What became of every span: counters with reasons, so that none is lost unseen."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from enum import Enum
from threading import Lock
from typing import TypeVar

K = TypeVar("K")


class Refused(Enum):
    """Why a span, or a whole request, was not taken in; the sender is told."""

    INVALID_TRACE_ID = "invalid_trace_id"
    MALFORMED_REQUEST = "malformed_request"
    MEMORY_LIMIT = "memory_limit"
    READ_TIMEOUT = "read_timeout"
    RECOVERING = "recovering"
    SHUTDOWN = "shutdown"
    STORAGE_FAILED = "storage_failed"
    STORAGE_FULL = "storage_full"
    TOO_LARGE = "too_large"
    UNAUTHENTICATED = "unauthenticated"


class Lost(Enum):
    """Why a span that was taken in, and not dropped by a rule, did not reach the exporter's peer."""

    FAILED = "failed"
    MALFORMED = "malformed"
    REJECTED = "rejected"
    RETRIES_EXHAUSTED = "retries_exhausted"
    SHUTDOWN = "shutdown"


@dataclass(frozen=True)
class Amount:
    """A number of traces and of the spans in them."""

    traces: int = 0
    spans: int = 0


class Tally:
    """Traces and spans, counted."""

    __slots__ = ("spans", "traces")

    def __init__(self) -> None:
        self.traces = 0
        self.spans = 0

    def add(self, spans: int, traces: int = 1) -> None:
        """Count one trace, or several, of so many spans together."""
        self.traces += traces
        self.spans += spans


@dataclass(frozen=True)
class Snapshot:
    """The counters at one moment, since the start. The keys of `decisions` are a decision and the name of a policy, or "".

    A span that came in is in exactly one of `refused_spans`, `decisions`, `late_spans` and `waiting_spans`. One whose decision
    is not `not_sampled` or `dropped`, or that came late to a sampled trace, is in one of `exported_spans`, `lost_spans` and
    `queued_spans`.

    `invalid_trace_states` are kept spans whose trace state could not take the adjusted count.

    The keys of `shadow_decisions` are a policy with `mode: shadow`, what it would have decided, and what was decided.
    """

    received_requests: int = 0
    received_spans: int = 0
    refused_spans: dict[str, int] = field(default_factory=dict)
    refused_requests: dict[str, int] = field(default_factory=dict)
    decisions: dict[tuple[str, str], Amount] = field(default_factory=dict)
    shadow_decisions: dict[tuple[str, str, str], Amount] = field(default_factory=dict)
    evaluation_errors: dict[str, int] = field(default_factory=dict)
    late_spans: dict[str, int] = field(default_factory=dict)
    early_decisions: dict[str, int] = field(default_factory=dict)
    enriched_spans: dict[str, int] = field(default_factory=dict)
    invalid_trace_states: int = 0
    enriched_requests: dict[str, int] = field(default_factory=dict)
    access_log_lines: dict[str, int] = field(default_factory=dict)
    catalogue_refreshes: dict[str, int] = field(default_factory=dict)
    stage_seconds: dict[str, float] = field(default_factory=dict)
    stage_failures: dict[str, int] = field(default_factory=dict)
    source_failures: dict[str, int] = field(default_factory=dict)
    missing_collections: dict[str, int] = field(default_factory=dict)
    exported_spans: int = 0
    lost_spans: dict[str, int] = field(default_factory=dict)
    retries: int = 0
    waiting_traces: int = 0
    waiting_spans: int = 0
    waiting_bytes: int = 0
    queued_spans: int = 0
    recovered_kept_spans: int = 0
    """Kept spans that an earlier process left on disk, for the exporter."""
    recovered_spans: int = 0
    """Of `received_spans`, those that an earlier process had acknowledged and left on disk."""
    recovered_sent_spans: int = 0
    """Spans in the requests that an earlier process left which it had sent already, or written down as kept."""


class Telemetry:
    """The counters themselves.

    What the pipeline counts is plain attributes, changed under the pipeline's own lock; what the receiver's and the exporter's
    threads count goes through methods that lock.
    """

    def __init__(self) -> None:
        self.received_requests = 0
        self.received_spans = 0
        self.refused_spans: Counter[Refused] = Counter()
        self._decisions: dict[tuple[str, str], Tally] = {}
        self._shadow_decisions: dict[tuple[str, str, str], Tally] = {}
        self.evaluation_errors: Counter[str] = Counter()
        self.late_spans: Counter[str] = Counter()
        self.early_decisions: Counter[str] = Counter()
        self.enriched_spans: Counter[str] = Counter()
        self.invalid_trace_states = 0
        self.enriched_requests: Counter[str] = Counter()
        self.access_log_lines: Counter[str] = Counter()
        self.catalogue_refreshes: Counter[str] = Counter()
        self.stage_seconds: defaultdict[str, float] = defaultdict(float)
        self.stage_failures: Counter[str] = Counter()
        self.source_failures: Counter[str] = Counter()
        self.missing_collections: dict[str, int] = {}
        self.waiting_traces = 0
        self.waiting_spans = 0
        self.waiting_bytes = 0
        self._lock = Lock()
        self._refused_requests: Counter[Refused] = Counter()
        self._exported_spans = 0
        self._lost_spans: Counter[Lost] = Counter()
        self._retries = 0
        self._queued_spans = 0
        self._recovered_kept_spans = 0
        self.recovered_spans = 0
        self.recovered_sent_spans = 0

    def tally(self, decision: str, policy: str = "") -> Tally:
        """Return the counts of this decision by this policy, to be added to; the policy is empty where none decided."""
        return self._decisions.setdefault((decision, policy), Tally())

    def refused_request(self, reason: Refused) -> None:
        """Count a request that was refused whole; may be called from any thread."""
        with self._lock:
            self._refused_requests[reason] += 1

    def shadow_tally(self, policy: str, would: str, decision: str) -> Tally:
        """Return the counts of what this policy with `mode: shadow` would have decided, where this was decided."""
        return self._shadow_decisions.setdefault((policy, would, decision), Tally())

    def queued(self, spans: int) -> None:
        """Count spans that were given to the exporter."""
        with self._lock:
            self._queued_spans += spans

    def recovered_kept(self, spans: int) -> None:
        """Count kept spans that an earlier process left, beside `queued`."""
        with self._lock:
            self._recovered_kept_spans += spans

    def exported(self, spans: int) -> None:
        """Count spans that the exporter's peer has taken."""
        with self._lock:
            self._queued_spans -= spans
            self._exported_spans += spans

    def lost(self, reason: Lost, spans: int, *, queued: bool = True) -> None:
        """Count spans that are lost; `queued` tells whether the exporter had them."""
        with self._lock:
            self._lost_spans[reason] += spans
            if queued:
                self._queued_spans -= spans

    def retried(self) -> None:
        """Count a request that is sent again."""
        with self._lock:
            self._retries += 1

    def snapshot(self) -> Snapshot:
        """Return the counters as they are now."""
        with self._lock:
            return Snapshot(
                received_requests=self.received_requests,
                received_spans=self.received_spans,
                refused_spans=_by_value(self.refused_spans),
                refused_requests=_by_value(self._refused_requests),
                decisions=_amounts(self._decisions),
                shadow_decisions=_amounts(self._shadow_decisions),
                evaluation_errors=dict(self.evaluation_errors),
                late_spans=dict(self.late_spans),
                early_decisions=dict(self.early_decisions),
                enriched_spans=dict(self.enriched_spans),
                invalid_trace_states=self.invalid_trace_states,
                enriched_requests=dict(self.enriched_requests),
                access_log_lines=dict(self.access_log_lines),
                catalogue_refreshes=dict(self.catalogue_refreshes),
                stage_seconds=dict(self.stage_seconds),
                stage_failures=dict(self.stage_failures),
                source_failures=dict(self.source_failures),
                missing_collections=dict(self.missing_collections),
                exported_spans=self._exported_spans,
                lost_spans=_by_value(self._lost_spans),
                retries=self._retries,
                waiting_traces=self.waiting_traces,
                waiting_spans=self.waiting_spans,
                waiting_bytes=self.waiting_bytes,
                queued_spans=self._queued_spans,
                recovered_kept_spans=self._recovered_kept_spans,
                recovered_spans=self.recovered_spans,
                recovered_sent_spans=self.recovered_sent_spans,
            )


def _amounts(tallies: dict[K, Tally]) -> dict[K, Amount]:
    return {key: Amount(tally.traces, tally.spans) for key, tally in list(tallies.items()) if tally.traces}


def _by_value(counts: Counter[Refused] | Counter[Lost]) -> dict[str, int]:
    return {reason.value: count for reason, count in list(counts.items())}
