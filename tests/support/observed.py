"""All that a trace says, to compare what two stores make of the same spans."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from milvus_otel_processor.spans.contract import Trace
from milvus_otel_processor.spans.groups import Group
from milvus_otel_processor.spans.head import Head
from milvus_otel_processor.spans.schema import DecodeError

MALFORMED = "malformed"


def observed(trace: Trace, texts: Sequence[bytes], keys: Sequence[bytes]) -> dict[str, Any]:
    """What the trace says, in values that can be compared; `malformed` where it raises DecodeError."""
    places = range(len(trace))
    groups = sorted(trace.distinct_groups, key=_envelope)
    found: dict[str, Any] = {
        "id": trace.id,
        "arrived": trace.arrived,
        "asked": trace.asked,
        "size": trace.size,
        "spans": list(trace.spans),
        "span": [trace.span(place) for place in places],
        "groups": [_envelope(group) for group in trace.groups],
        "distinct groups": [_envelope(group) for group in groups],
        "places": [list(trace.places(frozenset((group,)))) for group in groups],
        "all places": list(trace.places(frozenset(groups))),
        "heads": answer(lambda: [_head(head) for head in trace.heads]),
        "one head": answer(lambda: [_head(trace.heads[place]) for place in places]),
        "number of heads": answer(lambda: len(trace.heads)),
        "roots": answer(lambda: [_head(head) for head in trace.roots]),
        "root indexes": answer(lambda: list(trace.root_indexes)),
        "complete": trace.complete,
        "duration": answer(lambda: trace.duration_nanoseconds),
        "statuses": [answer(partial(trace.has_status, codes)) for codes in _CODES],
        "id hash": [trace.id_hash(basis) for basis in (0, 1, (1 << 64) - 1)],
        "request size": trace.request_size,
        "holding": [list(trace.holding(text)) for text in texts],
        "attributes": [answer(partial(_attributes_at, trace, place)) for place in places],
        "events": [answer(partial(_events_at, trace, place)) for place in places],
        "scratch": (trace.randomness, trace.incoming_threshold, trace.threshold),
    }
    for key in keys:
        found[f"values of {key!r}"] = answer(partial(_values, trace, key))
        found[f"each {key!r}"] = [answer(partial(_attribute_at, trace, at, key)) for at in places]
    return found


_CODES = tuple(map(frozenset, ((0,), (1,), (2,), (1, 2), (0, 1, 2), (7,), (-1, 300), ())))


def answer(ask: Callable[[], Any]) -> Any:
    """What is answered, or that something is malformed."""
    try:
        return ask()
    except DecodeError:
        return MALFORMED


def _envelope(group: Group) -> tuple[bytes, bytes]:
    return group.resource, group.scope


def _head(head: Head) -> tuple[Any, ...]:
    return (
        head.span_id,
        head.parent_span_id,
        head.name,
        head.kind,
        head.start_time_unix_nano,
        head.end_time_unix_nano,
        head.trace_state,
        head.flags,
        head.status.code,
        head.status.message,
    )


def _attributes_at(trace: Trace, place: int) -> list[tuple[bytes, bytes]]:
    return [(key, value.SerializeToString()) for key, value in trace.attributes(place).items()]


def _attribute_at(trace: Trace, place: int, key: bytes) -> bytes | None:
    value = trace.attribute(place, key)
    return None if value is None else value.SerializeToString()


def _events_at(trace: Trace, place: int) -> list[bytes]:
    return [event.SerializeToString() for event in trace.events(place)]


def _values(trace: Trace, key: bytes) -> list[bytes]:
    return [value.SerializeToString() for value in trace.span_values(key)]
