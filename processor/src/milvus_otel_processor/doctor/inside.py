"""What the processor itself can tell: its counters, and the traces that it decided lately."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from milvus_otel_processor.doctor.finding import Finding
from milvus_otel_processor.doctor.peers import away
from milvus_otel_processor.page.decided import copied
from milvus_otel_processor.spans.schema import DecodeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from milvus_otel_processor.doctor.peers import Peer
    from milvus_otel_processor.page.decided import Decided
    from milvus_otel_processor.sampling.settings import TailSamplingSettings
    from milvus_otel_processor.spans.head import Head
    from milvus_otel_processor.spans.trace import ReferenceTrace
    from milvus_otel_processor.telemetry.counters import Snapshot

_MOST_TRACES = 3000
_ENOUGH = 20
_LONG_SILENCE = 20.0
"""Seconds without a span after which one should have come."""
_SERVER, _CLIENT = 2, 3
_SAMPLED_AND_RANDOM = 3
_SKEW_NS = 50_000_000
_HEARTBEATS = (b"AllocTimestamp", b"UpdateChannelTimeTick", b"ReportTimeTick", b"GetTimeTick", b"Operate", b"Sync")
_INTERNAL = b"milvus.proto."
_SERVER_OF_CLIENTS = b"milvus.proto.milvus.MilvusService/"
_MILVUS_CLIENT = (b"db.system.name", b"db.system")


def findings(
    counted: Snapshot,
    decided: Sequence[Decided],
    rules: TailSamplingSettings | None,
    silence: float = 0.0,
    peers: Sequence[Peer] = (),
) -> Iterator[Finding]:
    """Yield what is found, in the order in which a trace travels; for `silence` seconds no span has come.

    `peers` are asked for a connection each, all at once, which may take 4 seconds.
    """
    traffic = _look(decided[:_MOST_TRACES])
    yield from _arriving(counted, silence, traffic)
    yield from _joined(traffic)
    yield from _heartbeats(traffic)
    yield from _rules(counted, rules)
    missing = away(peers)
    yield from missing.values()
    yield from _leaving(counted, is_away=any(peer.takes_spans for peer in missing))
    yield from _skewed(traffic)
    yield from _access_log(counted)
    yield from _enriched(counted)


class Traffic(NamedTuple):
    """What the latest decided traces are like."""

    traces: int
    without_root: int
    alone: int
    """Traces in which a client calls Milvus, and no span of Milvus is."""
    alone_random: int
    """Of these, those whose flags say that the trace id is random."""
    joined: int
    skewed: Counter[str]
    """Traces in which a span begins before its parent in another service, by the two services."""
    kept_heartbeats: Counter[str]
    own_work: int
    """Traces that Milvus makes by itself, idle too."""


def _look(decided: Sequence[Decided]) -> Traffic:
    found = Traffic(0, 0, 0, 0, 0, Counter(), Counter(), 0)
    traces = without_root = alone = alone_random = joined = own_work = 0
    for one in decided:
        trace = copied(one.trace)
        try:
            heads = trace.heads
        except DecodeError:
            continue
        traces += 1
        roots = trace.roots
        without_root += not roots
        own_work += bool(roots) and _is_own(roots[0].name)
        calls = [head for index, head in enumerate(heads) if head.kind == _CLIENT and _is_call(trace, index)]
        if calls:
            served = any(head.kind == _SERVER or head.name.startswith(_SERVER_OF_CLIENTS) for head in heads)
            joined += served
            alone += not served
            alone_random += not served and all(head.flags & 0xFF == _SAMPLED_AND_RANDOM for head in calls)
        _note_skew(trace, heads, found.skewed)
        if one.verdict.decision.value == "sampled" and roots and _is_heartbeat(roots[0].name):
            found.kept_heartbeats[roots[0].name.decode("utf-8", "replace")] += 1
    return found._replace(
        traces=traces,
        without_root=without_root,
        alone=alone,
        alone_random=alone_random,
        joined=joined,
        own_work=own_work,
    )


def _is_call(trace: ReferenceTrace, index: int) -> bool:
    span = trace.spans[index]
    return b"milvus" in span and any(key in span for key in _MILVUS_CLIENT)


def _is_heartbeat(name: bytes) -> bool:
    return name.rpartition(b"/")[2] in _HEARTBEATS and (_is_own(name) or b"/" not in name)


def _is_own(name: bytes) -> bool:
    return name.startswith(_INTERNAL) and not name.startswith(_SERVER_OF_CLIENTS)


def _note_skew(trace: ReferenceTrace, heads: Sequence[Head], skewed: Counter[str]) -> None:
    places = {head.span_id: place for place, head in enumerate(heads)}
    for place, head in enumerate(heads):
        parent = places.get(head.parent_span_id)
        if parent is None or trace.groups[parent] is trace.groups[place]:
            continue
        if heads[parent].start_time_unix_nano - head.start_time_unix_nano > _SKEW_NS:
            skewed[f"{_service(trace, parent)} and {_service(trace, place)}"] += 1
            return


def _service(trace: ReferenceTrace, place: int) -> str:
    value = trace.groups[place].resource_attributes.get(b"service.name")
    return value.string_value.decode("utf-8", "replace") if value is not None else "(no service.name)"


def _arriving(counted: Snapshot, silence: float, traffic: Traffic) -> Iterator[Finding]:
    if not counted.received_spans and silence < _LONG_SILENCE:
        yield Finding(
            "unknown", "No span has come to the processor yet, which has just started.", "Ask again in a while."
        )
        return
    if not counted.received_spans and sum(counted.request_duration.counts) > sum(counted.refused_requests.values()):
        yield Finding(
            "unknown",
            "No span has come to the processor yet; lines of logs have, so the Collector does export here.",
            "Where Milvus traces nothing by itself (sampleFraction 0), the first span comes with a request of an application that "
            "sends some. `milvus-otel doctor --probe` sends one.",
        )
        return
    if not counted.received_spans:
        yield Finding(
            "bad",
            "The processor runs, and no span has come to it since it started.",
            "Does the Collector's traces pipeline export to the processor's endpoint? And does anything send to the Collector?",
        )
        return
    if silence >= _LONG_SILENCE:
        came = f"{counted.received_spans:,} came before, since the start"
        advice = "does Milvus run, does the Collector, and does that still export here?"
        yield Finding(
            "bad" if traffic.own_work else "warn",
            f"For {silence:,.0f} s no span has come to the processor; {came}.",
            f"Spans of Milvus' own work came, and come every second: {advice}"
            if traffic.own_work
            else f"A Milvus that traces sends some every second, idle too: {advice}",
        )
    else:
        yield Finding("good", f"Spans arrive at the processor: {counted.received_spans:,} since the start.")
    for reason, requests in counted.refused_requests.items():
        if requests:
            yield Finding(
                "warn", f"{requests:,} requests were refused: {reason}.", "docs/metrics.md says what each reason means."
            )
    for reason, spans in counted.refused_spans.items():
        if spans:
            yield Finding("warn", f"{spans:,} spans were refused: {reason}.", "Look for what sends them.")


def _joined(traffic: Traffic) -> Iterator[Finding]:
    calls = traffic.joined + traffic.alone
    if not calls:
        return
    if not traffic.alone:
        yield Finding(
            "good", f"Client and Milvus are joined: all {calls:,} traces with a client's call have a span of Milvus."
        )
    elif traffic.alone_random:
        yield Finding(
            "bad",
            f"{traffic.alone_random:,} of {calls:,} traces with a client's call have no span of Milvus; the client's has flags 03.",
            "Milvus does not read a traceparent with flags 03 and starts a trace of its own: use milvus-otel-client, or see "
            "docs/troubleshooting.md, Client and server are two traces.",
        )
    elif traffic.alone * 10 > calls:
        yield Finding(
            "warn",
            f"{traffic.alone:,} of {calls:,} traces with a client's call have no span of Milvus.",
            "Does Milvus trace (trace.exporter: otlp)? Was the client instrumented before it was made? Is decision_wait too short?",
        )
    if traffic.traces >= _ENOUGH and traffic.without_root * 10 > traffic.traces:
        yield Finding(
            "warn",
            f"{traffic.without_root:,} of the latest {traffic.traces:,} traces were decided without their root.",
            "decision_wait is too short, or what makes the root does not export it: `milvus-otel replay` tells how late spans are.",
        )


def _skewed(traffic: Traffic) -> Iterator[Finding]:
    for services, traces in traffic.skewed.most_common(3):
        yield Finding(
            "warn",
            f"In {traces:,} traces a span begins more than 50 ms before its parent: the clocks of {services} differ.",
            "Let their hosts keep time with NTP: `latency` measures from the earliest span to the latest.",
        )


def _heartbeats(traffic: Traffic) -> Iterator[Finding]:
    for name, traces in traffic.kept_heartbeats.most_common(3):
        yield Finding(
            "warn",
            f"{traces:,} traces of Milvus' own work were kept: {name}.",
            "Are the rules milvus-heartbeats and milvus-background-tasks still there? Add the name to one of them.",
        )


def _access_log(counted: Snapshot) -> Iterator[Finding]:
    lines = counted.access_log_lines
    received = lines.get("received", 0)
    broken = lines.get("malformed", 0) + lines.get("foreign", 0)
    if not received and not broken:
        yield Finding(
            "unknown",
            "No line of Milvus' access log has come in.",
            "Without it, requests of clients without milvus-otel-client are not named, and their failures are not seen: does the "
            "Collector read the log (docs/troubleshooting.md, A failed search looks fine)?",
        )
    elif broken > received:
        yield Finding(
            "bad",
            f"{broken:,} lines of the access log are of another format, {received:,} are ours.",
            "Milvus has to write the format of compose/milvus/user.yaml, whole lines: see docs/enrichment.md.",
        )
    else:
        yield Finding("good", f"Milvus' access log arrives: {received:,} lines.")


def _enriched(counted: Snapshot) -> Iterator[Finding]:
    requests = counted.enriched_requests
    total, unknown = sum(requests.values()), requests.get("unknown", 0)
    if total >= _ENOUGH and unknown * 10 > total:
        yield Finding(
            "warn",
            f"No source knew the collection of {unknown:,} of {total:,} requests.",
            "The access log tells of all of them; milvus-otel-client of its own.",
        )
    refreshes = counted.catalogue_refreshes
    failed = {reason: times for reason, times in refreshes.items() if reason != "ok" and times}
    if failed and not refreshes.get("ok"):
        reasons = ", ".join(f"{reason} {times}" for reason, times in failed.items())
        yield Finding(
            "warn",
            f"Milvus' collections could not be read: {reasons}.",
            "Look at uri, user and password of processors.milvus.",
        )


def _rules(counted: Snapshot, rules: TailSamplingSettings | None) -> Iterator[Finding]:
    matched = {policy for (_, policy), amount in counted.decisions.items() if amount.traces}
    traces = sum(amount.traces for amount in counted.decisions.values())
    asked = [policy.name for policy in rules.policies if not policy.mode] if rules else []
    never = [name for name in asked if name not in matched]
    if traces >= _ENOUGH and never:
        # Rules for what rarely happens decide nothing for days; that none of all decides anything is strange.
        yield Finding(
            "unknown" if len(never) < len(asked) else "warn",
            f"Of {traces:,} traces these policies decided none yet: {', '.join(never)}.",
            "That is right where no such traces came, as with rules for other versions of Milvus or for what rarely happens. See "
            "why a trace that one of them should have decided was not: `milvus-otel explain TRACE_ID --from …`.",
        )
    if not counted.last_reload_successful:
        first, *more = counted.reload_problems or ("its log says where",)
        others = f" (and {len(more)} more, in its log)" if more else ""
        yield Finding(
            "bad",
            f"The last change of the rules is broken, those before stay in force: {first}{others}",
            "Mend the file: a change takes effect within two seconds.",
        )
    for policy, missing in counted.missing_collections.items():
        if missing:
            yield Finding(
                "warn",
                f"Policy {policy} asks for {missing} collection(s) that Milvus does not have.",
                "Look at the spelling.",
            )


def _leaving(counted: Snapshot, *, is_away: bool) -> Iterator[Finding]:
    lost = {reason: spans for reason, spans in counted.lost_spans.items() if spans}
    if lost:
        reasons = ", ".join(f"{spans:,} {reason}" for reason, spans in lost.items())
        yield Finding("bad", f"Kept spans were lost: {reasons}.", "docs/metrics.md says what to do about each reason.")
    if is_away:
        return
    if counted.exported_spans:
        yield Finding("good", f"Kept spans are taken by the exporter's peer: {counted.exported_spans:,}.")
    elif counted.retries:
        yield Finding(
            "bad",
            "Kept spans wait, and the exporter's peer has taken none.",
            "Look at exporters.otlp.endpoint and at Jaeger's log.",
        )
    elif counted.queued_spans:
        yield Finding(
            "unknown", "The first kept spans are on their way to the exporter's peer.", "Ask again in a while."
        )
    elif counted.received_spans:
        yield Finding("unknown", "Nothing was kept yet, so nothing was exported.", "The page's Decisions tell why.")
