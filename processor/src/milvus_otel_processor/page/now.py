"""`now`: what goes through, at this moment and over the last 15 minutes, and what is wrong, in words."""

from __future__ import annotations

from itertools import pairwise
from time import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milvus_otel_processor.page.inside import Inside
    from milvus_otel_processor.page.series import Point
    from milvus_otel_processor.telemetry.counters import Snapshot

RATES = ("received", "kept", "dropped", "lost", "exported")
_FULL = 0.8
_MOST_UNKNOWN = 0.1
_ENOUGH_REQUESTS = 50


def now(inside: Inside) -> dict[str, Any]:
    """Return it; rates are spans per second, between two points each."""
    points = inside.witness.series.points()
    counted = inside.snapshot()
    return {
        "at": time(),
        "facts": inside.facts,
        "ready": inside.obstacle() is None,
        "series": {
            "at": [round(later.at, 1) for _, later in pairwise(points)],
            "waiting": [later.waiting for _, later in pairwise(points)],
            **{name: [_rate(name, *pair) for pair in pairwise(points)] for name in RATES},
        },
        "totals": {name: getattr(points[-1], name) for name in RATES},
        "waiting": {
            "traces": counted.waiting_traces,
            "spans": counted.waiting_spans,
            "bytes": counted.waiting_bytes,
            "oldest_seconds": _age(inside, counted),
        },
        "memory": {"used": counted.memory_used, "limit": counted.memory_limit},
        "remembered": {"traces": len(inside.witness.decided), "bytes": inside.witness.memory()},
        "queued_spans": counted.queued_spans,
        "requests_by_source": dict(counted.enriched_requests),
        "wrong": list(wrong(inside, counted, points)),
    }


def _rate(name: str, earlier: Point, later: Point) -> float:
    seconds = later.moment - earlier.moment
    return round((getattr(later, name) - getattr(earlier, name)) / seconds, 2) if seconds > 0 else 0.0


def _age(inside: Inside, counted: Snapshot) -> float:
    if not counted.waiting_traces:
        return 0.0
    age = inside.clock() - inside.decided_until()
    return round(age, 1) if age < 1e9 else 0.0


def wrong(inside: Inside, counted: Snapshot, points: list[Point]) -> Iterator[str]:
    """Say what someone should look at."""
    obstacle = inside.obstacle()
    if obstacle is not None:
        yield f"Requests are refused for now: {obstacle}."
    if points[-1].lost > points[0].lost:
        reasons = ", ".join(f"{spans:,} {reason}" for reason, spans in counted.lost_spans.items() if spans)
        yield f"Spans were lost in the last 15 minutes; since the start: {reasons}."
    if counted.queue_capacity and counted.queued_spans > _FULL * counted.queue_capacity:
        yield f"{counted.queued_spans:,} kept spans wait to be sent: {inside.facts.get('exports_to', 'the peer')} is slow, or away."
    if counted.memory_limit and counted.memory_used > _FULL * counted.memory_limit:
        yield "Memory is short: from its limit on, requests are refused."
    yield from _wrong_with_rules(counted)
    if counted.storage_limit and counted.storage_size > _FULL * counted.storage_limit:
        yield "The storage is nearly full: from its limit on, requests are refused."
    requests = sum(counted.enriched_requests.values())
    unknown = counted.enriched_requests.get("unknown", 0)
    if requests >= _ENOUGH_REQUESTS and unknown > _MOST_UNKNOWN * requests:
        yield f"No source knows the collection of {unknown / requests:.0%} of the requests: see Help me."
    if not points[-1].received:
        yield "No span has come in since the start."


def _wrong_with_rules(counted: Snapshot) -> Iterator[str]:
    if not counted.last_reload_successful:
        first = next(iter(counted.reload_problems), "the log says where")
        yield f"The last change of the rules is broken, those before stay in force: {first}"
    for policy, missing in counted.missing_collections.items():
        if missing:
            yield f"Policy {policy} asks for {missing} collection(s) that Milvus does not have."
    for policy, times in counted.evaluation_errors.items():
        if times:
            yield f"Policy {policy} had no answer {times:,} times: the trace counts as not sampled by it."
