"""Traces that are written in a file of expectations, as the requests that would bring them."""

from __future__ import annotations

from collections import defaultdict
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from milvus_otel_processor.replay.recording import Message
from milvus_otel_processor.sampling.policies.base import policies_inside
from milvus_otel_processor.sampling.policies.probabilistic import randomness

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from milvus_otel_processor.expectations.model import SpanSettings
    from milvus_otel_processor.sampling.settings import TailSamplingSettings

START_NS = 1_800_000_000 * 10**9
"""When a written trace begins: in January 2027."""

_NANOSECONDS = 1e9
_SERVICE = "app"
_NOBODY = 0xFFFFFFFFFFFFFFFF
"""The span id of a parent that never arrives."""
_CANDIDATES = 2048
_ID_BYTES = 16
_STATUS = {"UNSET": 0, "OK": 1, "ERROR": 2}
_KIND = {"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}
_SAMPLED_FLAG = 1


def message(spans: Sequence[SpanSettings], trace_id: bytes, place: str) -> Message:
    """Return a request that holds the trace of these spans and of those below them."""
    by_resource: defaultdict[tuple[tuple[str, str], ...], list[Span]] = defaultdict(list)
    resources: dict[tuple[tuple[str, str], ...], dict[str, Any]] = {}
    latest = 0
    for span, resource in _all(spans, trace_id):
        key = tuple((name, repr(value)) for name, value in sorted(resource.items()))
        resources[key] = resource
        by_resource[key].append(span)
        latest = max(latest, span.end_time_unix_nano)
    request = ExportTraceServiceRequest()
    for key, found in by_resource.items():
        group = request.resource_spans.add()
        group.resource.attributes.extend(_pairs(resources[key]))
        group.scope_spans.add().spans.extend(found)
    return Message(request.SerializeToString(), latest, place)


def unlucky_trace_id(rules: TailSamplingSettings) -> bytes:
    """Return a trace id that the `probabilistic` policies of the rules sample last of many, whatever their salts."""
    inside = [inner for policy in rules.policies for inner in (policy, *policies_inside(policy))]
    blocks = (vars(block) for policy in inside for block in vars(policy).values() if hasattr(block, "hash_salt"))
    salts = {str(block["hash_salt"]) for block in blocks} or {""}
    # Ids that count up have hashes that are alike.
    candidates = (blake2b(b"%d" % number, digest_size=_ID_BYTES).digest() for number in range(_CANDIDATES))
    return min(candidates, key=lambda trace_id: max(randomness(trace_id, salt) for salt in salts))


def _all(spans: Sequence[SpanSettings], trace_id: bytes) -> Iterator[tuple[Span, dict[str, Any]]]:
    """Yield each span as OTLP has it, with the attributes of its resource."""
    number = 0
    waiting = [(span, 0, float(0), _SERVICE) for span in reversed(spans)]
    while waiting:
        settings, parent, begin, service = waiting.pop()
        number += 1
        begin += settings.start
        service = settings.service or service
        yield _span(settings, trace_id, number, parent, begin), {"service.name": service, **settings.resource}
        waiting += [(below, number, begin, service) for below in reversed(settings.spans)]


def _span(settings: SpanSettings, trace_id: bytes, number: int, parent: int, begin: float) -> Span:
    start = START_NS + round(begin * _NANOSECONDS)
    parent = _NOBODY if settings.without_parent else parent
    span = Span(
        trace_id=trace_id,
        span_id=number.to_bytes(8, "big"),
        parent_span_id=parent.to_bytes(8, "big") if parent else b"",
        name=settings.name,
        kind=_KIND[settings.kind],  # type: ignore[arg-type] # a number of the enumeration
        start_time_unix_nano=start,
        end_time_unix_nano=start + round(settings.duration * _NANOSECONDS),
        attributes=_pairs(settings.attributes),
        trace_state=settings.trace_state,
        flags=_SAMPLED_FLAG if settings.sampled else 0,
    )
    span.status.code = _STATUS[settings.status]  # type: ignore[assignment] # likewise
    for event in settings.events:
        span.events.add(name=event.name, time_unix_nano=start, attributes=_pairs(event.attributes))
    return span


def _pairs(attributes: dict[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=_value(value)) for key, value in attributes.items()]


def _value(value: Any) -> AnyValue:  # noqa: PLR0911 - one for each type
    match value:
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case str():
            return AnyValue(string_value=value)
        case dict():
            return AnyValue(kvlist_value=KeyValueList(values=_pairs(value)))
        case list():
            return AnyValue(array_value=_array(value))
    return AnyValue()


def _array(values: Iterable[Any]) -> ArrayValue:
    return ArrayValue(values=[_value(value) for value in values])
