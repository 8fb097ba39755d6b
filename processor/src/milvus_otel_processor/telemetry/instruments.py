"""Every instrument, stated once: what is counted, and the metrics that show it; docs/metrics.md is made from this."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from milvus_otel_processor.telemetry import log_records, reasons
from milvus_otel_processor.telemetry.family import COUNTER, GAUGE, HISTOGRAM
from milvus_otel_processor.telemetry.metric import (
    LONG,
    METRICS_OF,
    PREFIX,
    SHORT,
    Amount,
    Histogram,
    Metric,
    by,
    counted,
    histogram,
    number,
    time_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


def _policies(now: Snapshot) -> Sequence[str]:
    return list(now.policies)


def _decided(now: Snapshot) -> Sequence[tuple[str, str]]:
    return [(reasons.NOT_SAMPLED, ""), *((decision, policy) for policy, decision in now.policies.items())]


def _votes(now: Snapshot) -> dict[tuple[str, ...], int]:
    """Return how often each policy decided, and how often it would have if none before it had."""
    votes: Counter[tuple[str, ...]] = Counter()
    for (decision, policy), amount in now.decisions.items():
        if policy:
            votes[decision, policy] += amount.traces
    for policy, times in now.further_votes.items():
        votes[reasons.SAMPLED, policy] += times
    return votes


@dataclass
class Snapshot:
    """The counts at one moment, since the start.

    A span that came in is in exactly one of `refused_spans`, `decisions`, `late_spans` and `waiting_spans`. One whose decision
    is not `not_sampled` or `dropped`, or that came late to a sampled trace, is in one of `exported_spans`, `lost_spans` and
    `queued_spans`.
    """

    policies: dict[str, str] = counted(dict)
    """The decision that each policy in force can make, by its name."""
    reload_problems: Sequence[str] = counted(tuple)
    """What is wrong with the configuration as it was read last, while an earlier one is in force."""
    received_requests: int = counted(int)
    received_spans: int = counted(
        int,
        Metric(
            "receiver_accepted_spans",
            COUNTER,
            (),
            "Spans taken in.",
            lambda now: {(): now.received_spans - sum(now.refused_spans.values())},
            alerts=("MilvusOtelNothingReceived", "MilvusOtelAccessLogSilent"),
        ),
    )
    recovered_spans: int = counted(
        int,
        Metric(
            "processor_recovered_spans",
            COUNTER,
            ("state",),
            "Spans that an earlier process left on disk: `taken_in` again, to be decided; `kept`, to be sent; `sent` already, and "
            "left out.",
            lambda now: {
                ("taken_in",): now.recovered_spans,
                ("kept",): now.recovered_kept_spans,
                ("sent",): now.recovered_sent_spans,
            },
        ),
    )
    """Of `received_spans`, those that an earlier process had acknowledged and left on disk."""
    recovered_kept_spans: int = counted(int)
    """Kept spans that an earlier process left on disk, for the exporter."""
    recovered_sent_spans: int = counted(int)
    """Spans in the requests that an earlier process left which it had sent already, or written down as kept."""
    refused_spans: Counter[str] = by(
        "reason",
        "receiver_refused_spans",
        "Spans refused; the sender was told.",
        make=Counter,
        known=reasons.REFUSED_SPANS,
    )
    refused_requests: Counter[str] = by(
        "reason",
        "receiver_refused_requests",
        "Requests refused whole; the sender was told.",
        make=Counter,
        known=reasons.REFUSED_REQUESTS,
        alerts=("MilvusOtelStorageFailed", "MilvusOtelUnauthenticated"),
    )
    request_duration: Histogram = histogram(
        "receiver_request_duration_seconds",
        "How long requests took, from their announcement to the answer, whatever that was.",
        SHORT,
    )
    failed_handshakes: Counter[str] = by(
        "reason",
        "failed_handshakes",
        "TLS handshakes that failed, with the receiver or with the exporter's peer, by what gRPC's TLS library says; not those "
        "that the other side only left.",
        make=Counter,
        known=reasons.HANDSHAKES,
        alerts=("MilvusOtelHandshakesFail",),
    )
    enriched_spans: Counter[str] = by(
        "source",
        "processor_enriched_spans",
        "Spans given attributes, by the source that knew them.",
        make=Counter,
        known=reasons.SOURCES,
    )
    enriched_requests: Counter[str] = by(
        "source",
        "processor_enriched_requests",
        "Milvus requests by the source that named their collection; `no_collection` where there is none to name, "
        "`ambiguous` where there was more than one answer, "
        "`unknown` where no source knew.",
        make=Counter,
        known=reasons.FOUND,
        alerts=("MilvusOtelAccessLogSilent",),
    )
    calls_apart: Counter[str] = by(
        "kind",
        "processor_calls_apart",
        "Calls to Milvus that are not counted as requests, by what they are.",
        make=Counter,
        known=reasons.CALLS_APART,
    )
    folded_requests: int = number(
        "processor_folded_requests", "Requests counted under the overflow series, beyond `requests.max_series`."
    )
    access_log_lines: Counter[str] = by(
        "state",
        "processor_access_log_lines",
        "Lines of Milvus' access log: `received`; `evicted` of these, too many to hold; `doubled`; `malformed`, not whole; "
        "`foreign`, of another format.",
        make=Counter,
        known=reasons.LINES,
    )
    access_log_last_line: float = time_of(
        "processor_access_log_last_line_timestamp_seconds",
        "When the last line of the access log came; 0 where none has; not there without that source.",
        alerts=("MilvusOtelAccessLogSilent",),
    )
    catalogue_refreshes: Counter[str] = by(
        "result",
        "processor_catalogue_refreshes",
        "Readings of Milvus' collections: `ok`, or the reason why not, such as `unauthenticated`.",
        make=Counter,
        known=("ok",),
    )
    catalogue_last_read: float = time_of(
        "processor_catalogue_last_read_timestamp_seconds",
        "When Milvus' collections were last listed; 0 where they never were; not there without a catalogue.",
        alerts=("MilvusOtelCatalogueOld",),
    )
    source_failures: Counter[str] = by(
        "source", "processor_source_failures", "Exceptions raised by sources of the user's own.", make=Counter
    )
    missing_collections: Counter[str] = by(
        "policy",
        "processor_missing_collections",
        "Collections that a policy names and Milvus does not have, as far as its user sees; once the catalogue is read.",
        make=Counter,
        kind=GAUGE,
    )
    stage_seconds: dict[str, float] = by(
        "processor",
        "processor_stage_seconds",
        "Seconds that each processor but `tail_sampling` took for traces at their decision.",
        make=Counter,
    )
    stage_failures: Counter[str] = by(
        "processor",
        "processor_stage_failures",
        "Exceptions in a processor, of the user's own or not; the spans went on without what it would have added.",
        make=Counter,
        alerts=("MilvusOtelProcessorFails",),
    )
    redactions: Counter[str] = by(
        "action",
        "processor_redactions",
        "Attributes, and messages of a status, that the `redaction` processor removed (`redacted`) or masked; those of a resource "
        "or scope once.",
        make=Counter,
        known=reasons.REDACTIONS,
    )
    decisions: dict[tuple[str, str], Amount] = counted(
        dict,
        Metric(
            "processor_decided_traces",
            COUNTER,
            ("decision", "policy"),
            "Traces decided, by decision and policy; no policy where none sampled the trace.",
            lambda now: {key: amount.traces for key, amount in now.decisions.items()},
            _decided,
        ),
        Metric(
            "processor_decided_spans",
            COUNTER,
            ("decision", "policy"),
            "Spans of the traces decided, by decision and policy.",
            lambda now: {key: amount.spans for key, amount in now.decisions.items()},
            _decided,
        ),
        Metric(
            "processor_policy_votes",
            COUNTER,
            ("decision", "policy"),
            "Traces that a policy decided, or would have decided so if none before it had sampled them. "
            "With `sample_on_first_match` policies behind the one that decides are not asked; nor is any after a drop.",
            _votes,
            lambda now: [(decision, policy) for policy, decision in now.policies.items()],
        ),
    )
    """By the decision and the name of a policy, or ""."""
    further_votes: Counter[str] = counted(Counter)
    """How often each policy would have sampled a trace that one before it had sampled."""
    shadow_decisions: dict[tuple[str, str, str], Amount] = counted(
        dict,
        Metric(
            "processor_shadow_traces",
            COUNTER,
            ("policy", "would", "decision"),
            "Traces that a policy with `mode: shadow` would have decided, with what was decided instead.",
            lambda now: {key: amount.traces for key, amount in now.shadow_decisions.items()},
        ),
    )
    """By a policy with `mode: shadow`, what it would have decided, and what was decided."""
    evaluation_errors: Counter[str] = by(
        "policy",
        "processor_policy_evaluation_errors",
        "Times that a policy had no answer for a trace, such as an `ottl_condition` with `error_mode: propagate`; the trace then "
        "counts as not sampled by it.",
        make=Counter,
        known=_policies,
        alerts=("MilvusOtelProcessorFails",),
    )
    decision_timer_latency: Histogram = histogram(
        "processor_sampling_decision_timer_latency_seconds",
        "How long a turn of decisions took, 64 traces at the most; requests wait for its end.",
        SHORT,
    )
    trace_removal_age: Histogram = histogram(
        "processor_sampling_trace_removal_age_seconds",
        "How long traces waited from their first span to their decision; not those that the name of their root settled.",
        LONG,
        alerts=("MilvusOtelDecisionsLate",),
    )
    late_spans: Counter[str] = by(
        "decision",
        "processor_late_spans",
        "Spans that came after the decision over their trace, and followed it.",
        make=Counter,
        known=reasons.LATE,
    )
    late_span_age: Histogram = histogram(
        "processor_sampling_late_span_age_seconds",
        "How long after the decision late spans of sampled traces came.",
        LONG,
    )
    early_decisions: Counter[str] = by(
        "reason",
        "processor_early_decisions",
        "Traces decided before their time, because a limit was reached or a policy had sampled them for good; not those that their "
        "root dropped at once, nor complete ones.",
        make=Counter,
        known=reasons.EARLY,
        alerts=("MilvusOtelDecidedEarly",),
    )
    invalid_trace_states: int = number(
        "processor_invalid_trace_states", "Kept spans whose trace state could not take the adjusted count."
    )
    waiting_traces: int = number("processor_waiting_traces", "Traces that wait for their decision.", kind=GAUGE)
    waiting_spans: int = number("processor_waiting_spans", "Spans that wait for their decision.", kind=GAUGE)
    waiting_bytes: int = number("processor_waiting_bytes", "Bytes of these spans.", kind=GAUGE)
    exported_spans: int = number(
        "exporter_sent_spans", "Spans that the exporter's peer took.", alerts=("MilvusOtelExportFails",)
    )
    send_duration: Histogram = histogram(
        "exporter_send_duration_seconds", "How long requests to the exporter's peer took, failed ones included.", SHORT
    )
    retries: int = number("exporter_retries", "Requests sent again after a failure.", alerts=("MilvusOtelExportFails",))
    queued_spans: int = number(
        "exporter_queued_spans",
        "Spans that wait to be sent, or are under way.",
        kind=GAUGE,
        alerts=("MilvusOtelQueueNearlyFull",),
    )
    queue_capacity: int = number(
        "exporter_queue_capacity",
        "`sending_queue.queue_size`: spans from which on decisions wait for room.",
        kind=GAUGE,
        alerts=("MilvusOtelQueueNearlyFull",),
    )
    queued_bytes: int = number(
        "exporter_queued_bytes", "Memory of the spans that wait to be sent, and of requests under way.", kind=GAUGE
    )
    queue_capacity_bytes: int = number(
        "exporter_queue_capacity_bytes",
        "What that may be at the most: the queue has all the memory that the limit gives, less what others use.",
        kind=GAUGE,
    )
    memory_used: int = number(
        "memory_used_bytes",
        "Memory of all that requests make grow, as the limit counts it: in flight, waiting, queued, lines of the access log.",
        kind=GAUGE,
        alerts=("MilvusOtelMemoryShort",),
    )
    memory_limit: int = number(
        "memory_limit_bytes",
        "What that may be at the most; from there on requests are refused for now.",
        kind=GAUGE,
        alerts=("MilvusOtelMemoryShort",),
    )
    storage_size: int = number("storage_size_bytes", "What is on disk.", kind=GAUGE, alerts=("MilvusOtelStorageShort",))
    storage_limit: int = number(
        "storage_limit_bytes",
        "`max_size_mib` of the storage; 0 without one.",
        kind=GAUGE,
        alerts=("MilvusOtelStorageShort",),
    )
    storage_damaged: int = number(
        "storage_damaged_bytes",
        "What an earlier process left on disk and could not be read, and is lost.",
        kind=GAUGE,
        alerts=("MilvusOtelStorageDamaged",),
    )
    ready: int = number(
        "ready",
        "1 while requests are taken, 0 while they are refused.",
        kind=GAUGE,
        alerts=("MilvusOtelNotReady", "MilvusOtelAbsent"),
    )
    certificates: dict[str, float] = by(
        "role",
        "certificate_expiry_timestamp_seconds",
        "When a certificate ends, by what it is for, such as `receiver` or `exporter`; of a file with several, the first to end.",
        make=dict,
        kind=GAUGE,
        alerts=("MilvusOtelCertificateExpires", "MilvusOtelCertificateExpired"),
    )
    last_reload_successful: int = number(
        "last_reload_successful",
        "0 where the last change of the rules was broken, and those before stay; else 1.",
        kind=GAUGE,
        alerts=("MilvusOtelRulesBroken",),
    )
    last_reload: float = time_of(
        "last_reload_success_timestamp_seconds", "When the rules in force were loaded, or found to be unchanged."
    )
    rules_hash: str = counted(
        str,
        Metric(
            "rules_info",
            GAUGE,
            ("sha256",),
            "1, with the hash of the rules in force: two processors with the same hash decide by the same rules.",
            lambda now: {(now.rules_hash,): 1} if now.rules_hash else {},
            alerts=("MilvusOtelRulesDiffer",),
        ),
    )
    failed_metric_exports: int = number(
        "metrics_export_failures",
        "Times that these metrics could not be sent to where a `periodic` reader sends them; the next that arrive make up for it.",
    )
    lost_spans: Counter[str] = by(
        "reason",
        "lost_spans",
        "Spans that no rule dropped and that nevertheless did not get through.",
        make=Counter,
        known=reasons.LOST,
        alerts=("MilvusOtelSpansLost",),
    )
    logs: log_records.LogCounts = counted(log_records.LogCounts, *log_records.METRICS)


METRICS: tuple[Metric, ...] = tuple(metric for one in fields(Snapshot) for metric in one.metadata[METRICS_OF](one.name))
"""All of the metrics."""

__all__ = ["COUNTER", "GAUGE", "HISTOGRAM", "METRICS", "PREFIX", "Amount", "Histogram", "Metric", "Snapshot"]
