"""The traffic that is sent: three mixes, the same spans for every program."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from random import Random

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span, Status

from tests.benchmarks.load import batched, busy, recorded, repeated, spans_in

SERVICES, ATTRIBUTES, LONGEST = 50, 20, 200
_WIDE_TRACES = 300
_MILLISECOND = 1_000_000
_NOON = 1_790_000_000 * 10**9


@dataclass(frozen=True)
class Mix:
    """Traffic: `requests` are repeated with fresh trace ids until about `spans` spans are there."""

    name: str
    meaning: str
    requests: Callable[[], list[bytes]]
    spans: int
    """How many make a run that is long enough to be measured, and not longer."""


def load(mix: Mix, spans: int, request: int, seed: int) -> list[bytes]:
    """Requests of about `request` spans, about `spans` spans together; the same for the same seed."""
    requests = mix.requests()
    there = spans_in(requests)
    together = max(1, round(request * len(requests) / there))
    rounds = max(1, round(spans / there))
    return list(batched(repeated(requests, rounds, Random(seed).randbytes), together))


def _attribute(key: str, value: str | int) -> KeyValue:
    found = AnyValue(string_value=value) if isinstance(value, str) else AnyValue(int_value=value)
    return KeyValue(key=key, value=found)


def _wide_span(random: Random, trace_id: bytes, number: int, begin: int, names: list[str]) -> Span:
    """The span `number` of a trace; its parent is one of those before it."""
    start = begin + number * random.randrange(_MILLISECOND)
    attributes = [_attribute(name, random.choice(("GET", "POST", "ok", "eu-west-1", "v1.2.3"))) for name in names]
    attributes[0] = _attribute("db.collection.name", random.choice(("products", *("other",) * 40)))
    attributes[1] = _attribute("http.response.status_code", random.choice((200, 200, 200, 404, 500)))
    return Span(
        trace_id=trace_id,
        span_id=random.randbytes(8),
        name=f"operation {random.randrange(400)}",
        kind=random.choice((Span.SPAN_KIND_INTERNAL, Span.SPAN_KIND_SERVER, Span.SPAN_KIND_CLIENT)),
        start_time_unix_nano=start,
        end_time_unix_nano=start + int(random.expovariate(1 / (20 * _MILLISECOND))),
        attributes=attributes,
        status=Status(code=Status.STATUS_CODE_ERROR if random.random() < 0.001 else Status.STATUS_CODE_UNSET),
    )


def _wide_trace(random: Random) -> list[tuple[int, Span]]:
    """The spans of one trace, each with the number of its service: as many short traces as long ones, by the logarithm."""
    size = round(LONGEST ** random.random())
    trace_id, begin = random.randbytes(16), _NOON + random.randrange(10**9)
    names = [f"attribute.number.{number}" for number in range(ATTRIBUTES)]
    spans = [_wide_span(random, trace_id, number, begin, names) for number in range(size)]
    for number, span in enumerate(spans[1:], start=1):
        span.parent_span_id = spans[random.randrange(number)].span_id
    return [(random.randrange(SERVICES), span) for span in spans]


def wide() -> list[bytes]:
    """Traces of many services: 20 attributes to a span, 1 to 200 spans to a trace, children before their parents."""
    random = Random(50)
    spans = [pair for _ in range(_WIDE_TRACES) for pair in reversed(_wide_trace(random))]
    return [_request(spans[at : at + 1000]) for at in range(0, len(spans), 1000)]


def _request(spans: list[tuple[int, Span]]) -> bytes:
    request = ExportTraceServiceRequest()
    by_service: dict[int, ResourceSpans] = {}
    for service, span in spans:
        if service not in by_service:
            by_service[service] = request.resource_spans.add()
            by_service[service].resource.attributes.extend(
                (_attribute("service.name", f"service-{service}"), _attribute("host.name", f"host-{service % 7}"))
            )
            by_service[service].scope_spans.add().scope.name = "instrumentation"
        by_service[service].scope_spans[0].spans.append(span)
    return request.SerializeToString()


def many(traces: int, size: int, seed: int) -> Iterator[bytes]:
    """Requests of `size` spans, each a trace of its own that no rule but `tenth` keeps: for traces that wait by the million."""
    random = Random(seed)
    span = Span(span_id=b"12345678", parent_span_id=b"87654321", name="child", start_time_unix_nano=_NOON)
    span.end_time_unix_nano = _NOON + _MILLISECOND
    span.attributes.extend(_attribute(f"key.{number}", "value") for number in range(5))
    rest = span.SerializeToString()
    frame = bytes((0x12, *_varint(len(rest) + 18)))
    for _ in range(0, traces, size):
        spans = b"".join(frame + b"\x0a\x10" + random.randbytes(16) + rest for _ in range(size))
        scope = b"\x12" + bytes(_varint(len(spans))) + spans
        yield b"\x0a" + bytes(_varint(len(scope))) + scope


def _varint(number: int) -> Iterator[int]:
    while number > 0x7F:
        yield number & 0x7F | 0x80
        number >>= 7
    yield number


MIXES = {
    mix.name: mix
    for mix in (
        Mix(
            "recorded",
            "Milvus at work and its heartbeats: 80 % of the traces are dropped by their root's name",
            recorded,
            445_000,
        ),
        Mix("busy", "its requests alone, 11 spans to a trace", busy, 394_000),
        Mix(
            "wide",
            f"{SERVICES} services, {ATTRIBUTES} attributes to a span, 1-{LONGEST} spans to a trace",
            partial(wide),
            120_000,
        ),
    )
}
