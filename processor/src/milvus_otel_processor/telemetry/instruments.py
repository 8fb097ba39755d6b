"""Every instrument, stated once: what is counted, and the metrics that show it; docs/metrics.md is made from this."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Values = Mapping[tuple[str, ...], float]

PREFIX = "milvus_otel_"
"""What the names of all metrics begin with."""
COUNTER, GAUGE = "counter", "gauge"

_METRICS = "metrics"


@dataclass
class Amount:
    """A number of traces and of the spans in them."""

    traces: int = 0
    spans: int = 0

    def add(self, spans: int, traces: int = 1) -> None:
        """Count one trace, or several, of so many spans together."""
        self.traces += traces
        self.spans += spans


class Metric(NamedTuple):
    """One metric: a counter's name goes without `_total`, which Prometheus adds."""

    name: str
    kind: str
    labels: tuple[str, ...]
    text: str
    values: Callable[[Snapshot], Values]
    """Reads its values, by the values of its labels."""


def _counted(make: Callable[[], Any], *metrics: Metric) -> Any:
    return field(default_factory=make, metadata={_METRICS: lambda _: metrics})


def _number(name: str, text: str, *, kind: str = COUNTER) -> Any:
    def metrics(attribute: str) -> tuple[Metric, ...]:
        return (Metric(name, kind, (), text, lambda now: {(): getattr(now, attribute)}),)

    return field(default=0, metadata={_METRICS: metrics})


def _by(label: str, name: str, text: str, *, kind: str = COUNTER) -> Any:
    def metrics(attribute: str) -> tuple[Metric, ...]:
        return (
            Metric(name, kind, (label,), text, lambda now: {(key,): n for key, n in getattr(now, attribute).items()}),
        )

    return field(default_factory=Counter, metadata={_METRICS: metrics})


@dataclass
class Snapshot:
    """The counts at one moment, since the start.

    A span that came in is in exactly one of `refused_spans`, `decisions`, `late_spans` and `waiting_spans`. One whose decision
    is not `not_sampled` or `dropped`, or that came late to a sampled trace, is in one of `exported_spans`, `lost_spans` and
    `queued_spans`.
    """

    received_requests: int = _counted(int)
    received_spans: int = _counted(
        int,
        Metric(
            "receiver_accepted_spans",
            COUNTER,
            (),
            "Spans taken in.",
            lambda now: {(): now.received_spans - sum(now.refused_spans.values())},
        ),
    )
    recovered_spans: int = _counted(
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
    recovered_kept_spans: int = _counted(int)
    """Kept spans that an earlier process left on disk, for the exporter."""
    recovered_sent_spans: int = _counted(int)
    """Spans in the requests that an earlier process left which it had sent already, or written down as kept."""
    refused_spans: Counter[str] = _by("reason", "receiver_refused_spans", "Spans refused; the sender was told.")
    refused_requests: Counter[str] = _by(
        "reason", "receiver_refused_requests", "Requests refused whole; the sender was told."
    )
    enriched_spans: Counter[str] = _by(
        "source", "processor_enriched_spans", "Spans given attributes, by the source that knew them."
    )
    enriched_requests: Counter[str] = _by(
        "source",
        "processor_enriched_requests",
        "Milvus requests by the source that named their collection; `no_collection` where there is none to name, "
        "`ambiguous` where there was more than one answer, "
        "`unknown` where no source knew.",
    )
    access_log_lines: Counter[str] = _by(
        "state",
        "processor_access_log_lines",
        "Lines of Milvus' access log: `received`; `evicted` of these, too many to hold; `doubled`; `malformed`, not whole; "
        "`foreign`, of another format.",
    )
    catalogue_refreshes: Counter[str] = _by(
        "result",
        "processor_catalogue_refreshes",
        "Readings of Milvus' collections: `ok`, or the reason why not, such as `unauthenticated`.",
    )
    source_failures: Counter[str] = _by(
        "source", "processor_source_failures", "Exceptions raised by sources of the user's own."
    )
    missing_collections: Counter[str] = _by(
        "policy",
        "processor_missing_collections",
        "Collections that a policy names and Milvus does not have, as far as its user sees; once the catalogue is read.",
        kind=GAUGE,
    )
    stage_seconds: dict[str, float] = _by(
        "processor",
        "processor_stage_seconds",
        "Seconds that each processor but `tail_sampling` took for traces at their decision.",
    )
    stage_failures: Counter[str] = _by(
        "processor",
        "processor_stage_failures",
        "Exceptions in a processor, of the user's own or not; the spans went on without what it would have added.",
    )
    decisions: dict[tuple[str, str], Amount] = _counted(
        dict,
        Metric(
            "processor_decided_traces",
            COUNTER,
            ("decision", "policy"),
            "Traces decided, by decision and policy; no policy where none sampled the trace.",
            lambda now: {key: amount.traces for key, amount in now.decisions.items()},
        ),
        Metric(
            "processor_decided_spans",
            COUNTER,
            ("decision", "policy"),
            "Spans of the traces decided, by decision and policy.",
            lambda now: {key: amount.spans for key, amount in now.decisions.items()},
        ),
    )
    """By the decision and the name of a policy, or ""."""
    shadow_decisions: dict[tuple[str, str, str], Amount] = _counted(
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
    evaluation_errors: Counter[str] = _by(
        "policy",
        "processor_policy_evaluation_errors",
        "Times that a policy had no answer for a trace, such as an `ottl_condition` with `error_mode: propagate`; the trace then "
        "counts as not sampled by it.",
    )
    late_spans: Counter[str] = _by(
        "decision", "processor_late_spans", "Spans that came after the decision over their trace, and followed it."
    )
    early_decisions: Counter[str] = _by(
        "reason",
        "processor_early_decisions",
        "Traces decided before their time, because a limit was reached or a policy had sampled them for good; not those that their "
        "root dropped at once, nor complete ones.",
    )
    invalid_trace_states: int = _number(
        "processor_invalid_trace_states", "Kept spans whose trace state could not take the adjusted count."
    )
    waiting_traces: int = _number("processor_waiting_traces", "Traces that wait for their decision.", kind=GAUGE)
    waiting_spans: int = _number("processor_waiting_spans", "Spans that wait for their decision.", kind=GAUGE)
    waiting_bytes: int = _number("processor_waiting_bytes", "Bytes of these spans.", kind=GAUGE)
    exported_spans: int = _number("exporter_sent_spans", "Spans that the exporter's peer took.")
    queued_spans: int = _number("exporter_queued_spans", "Spans that wait to be sent, or are under way.", kind=GAUGE)
    retries: int = _number("exporter_retries", "Requests sent again after a failure.")
    queue_capacity: int = _number(
        "exporter_queue_capacity",
        "`sending_queue.queue_size`: spans from which on decisions wait for room.",
        kind=GAUGE,
    )
    queued_bytes: int = _number(
        "exporter_queued_bytes", "Memory of the spans that wait to be sent, and of requests under way.", kind=GAUGE
    )
    memory_used: int = _number(
        "memory_used_bytes",
        "Memory of all that requests make grow, as the limit counts it: in flight, waiting, queued, lines of the access log.",
        kind=GAUGE,
    )
    memory_limit: int = _number(
        "memory_limit_bytes", "What that may be at the most; from there on requests are refused for now.", kind=GAUGE
    )
    storage_size: int = _number("storage_size_bytes", "What is on disk.", kind=GAUGE)
    storage_limit: int = _number("storage_limit_bytes", "`max_size_mib` of the storage; 0 without one.", kind=GAUGE)
    storage_damaged: int = _number(
        "storage_damaged_bytes", "What an earlier process left on disk and could not be read, and is lost.", kind=GAUGE
    )
    ready: int = _number("ready", "1 while requests are taken, 0 while they are refused.", kind=GAUGE)
    last_reload_successful: int = _number(
        "last_reload_successful",
        "0 where the last change of the rules was broken, and those before stay; else 1.",
        kind=GAUGE,
    )
    lost_spans: Counter[str] = _by(
        "reason", "lost_spans", "Spans that no rule dropped and that nevertheless did not get through."
    )


METRICS: tuple[Metric, ...] = tuple(metric for one in fields(Snapshot) for metric in one.metadata[_METRICS](one.name))
"""All of the metrics."""
