"""Traces from a seeded generator: attributes of all types, events, errors, odd timings, many scripts, from one span to hundreds.

What the two are known to differ in (docs/sampling.md) is left out: doubles are never under a key that `numeric_attribute` asks
for, and no span lacks its start.
"""

from collections.abc import Callable
from random import Random

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from tests.support.spans import pairs

BASE = 1_700_000_000_000_000_000
_MS = 1_000_000
_HUGE = 300

_NOT_UTF8 = "!not utf8!"
"""Stands for bytes that no message class of OpenTelemetry would write."""
_BYTES_NOT_UTF8 = b"a\xff\xc3(\xe2\x82 z\xb6."

NAMES = (
    "GET /cart",
    "Search",
    "Suche nach Ähre",
    "検索",
    "поиск",
    "milvus.proto.milvus.MilvusService/Search",
    "",
    "🦀 query",
    "a" * 300,
)
TEXTS = (
    "shop",
    "number",
    _NOT_UTF8,
    "SHOP",
    "händler",
    "店",
    "42",
    "-7",
    "3.5",
    "true",
    "error: timeout",
    "a/b/c",
    "",
    " padded ",
    "aaaaaaaaaaaaaaaa!",
    "ß",
)
PARSED = (
    '{"a": 1, "b": [1, 2.5, null], "c": {"d": "\\u00e4"}}',
    "[3, 1, 2]",
    '{"a": "x", "a": "y"}',
    "{}",
    "[]",
    '"text"',
    "{",
    '{"a": 1e400}',
    'user=shop op="drop table" n=5',
    "a:1;b:2;c",
    "k='it is' z=\\\\x",
    "0x1F",
    "-0b101",
    "0755",
    "1_000",
    "zz",
    "99999999999999999999",
    "aGFsbG8=",
    "aGFsbG8",
    "_-8=",
    "not base64!",
    "10.1.2.3",
    "::ffff:192.168.0.1",
    "2001:db8::1",
    "10.1.2.300",
    "4539 1488 0343 6467",
    "8273123273520569",
    "someName_withHTTPCode 404-x.y",
    "SCREAMING_SNAKE",
    "JSONData",
    " überGröße2 ",
    "GET /items/42?x=1",
)
"""Texts that converters read: JSON, pairs, numbers, base64, addresses, numbers with a check digit, joined words."""
SERVICES = ("shop", "milvus", "segcore", "händler")
TRACE_STATES = (
    "",
    "vendor=1",
    "vendor=2,other=x",
    "other=x,vendor=1",
    " vendor=1 , other=y",
    "vendor=1,vendor=2",  # twice: not valid
    "Vendor=1",  # upper case: not valid
    "vendor=",
    "vendor",
    "tenant@vendor=1",
    "vendor=1,,other=z",
    "vendor=a=b",
    ",".join(f"k{number}=v" for number in range(33)) + ",vendor=1",
)
FLAGS = (0, 0, 1, 2, 3, 0x100, 0x101, 0x301)


def requests(seed: int, traces: int, spans_per_request: int = 120) -> list[bytes]:
    """Serialized requests that hold so many traces, their spans mixed as if many services sent them at a time."""
    random = Random(seed)
    placed: list[tuple[float, int, str, Span]] = []
    for number in range(traces):
        moment = number + random.random()
        for span in _trace(random):
            # Most of a trace comes at once, some of it later, in other requests.
            late = random.expovariate(1) * 40 if random.random() < 0.2 else 0.0
            placed.append((moment + late, random.randrange(len(SERVICES)), random.choice(("app", "db", "")), span))
    placed.sort(key=lambda item: item[0])
    chunks = [placed[at : at + spans_per_request] for at in range(0, len(placed), spans_per_request)]
    return [_request(random, chunk) for chunk in chunks]


def _request(random: Random, placed: list[tuple[float, int, str, Span]]) -> bytes:
    by_service: dict[int, dict[str, list[Span]]] = {}
    for _, service, scope, span in placed:
        by_service.setdefault(service, {}).setdefault(scope, []).append(span)
    request = ExportTraceServiceRequest()
    for service, by_scope in by_service.items():
        scopes = [
            ScopeSpans(
                scope=InstrumentationScope(
                    name=scope,
                    version="1.2",
                    attributes=pairs({"lib": scope or 7}),
                    dropped_attributes_count=len(scope) // 3,
                ),
                spans=spans,
            )
            for scope, spans in by_scope.items()
        ]
        request.resource_spans.append(ResourceSpans(resource=_resource(random, service), scope_spans=scopes))
    return request.SerializeToString().replace(_NOT_UTF8.encode(), _BYTES_NOT_UTF8)


def _resource(random: Random, service: int) -> Resource:
    # A service has few instances, or else every trace would be one of its own resource.
    instance = random.randrange(3)
    attributes: dict[str, object] = {"service.name": SERVICES[service], "instance": instance, "canary": instance == 0}
    if service == 0:
        attributes |= {"text": "", "number": 70 + instance, "zones": ["a", "b"][: instance + 1]}
    return Resource(attributes=pairs(attributes), dropped_attributes_count=instance)


def _trace(random: Random) -> list[Span]:
    trace_id = random.randbytes(16)
    count = _HUGE if random.random() < 0.003 else min(1 + int(random.expovariate(0.35)), 40)
    start = BASE + random.randrange(10**9)
    spans: list[Span] = []
    for number in range(count):
        # A parent that came, one that never does, or none.
        parent = random.choice([*(span.span_id for span in spans[-3:]), b"", b"missing!"]) if number else b""
        spans.append(_span(random, trace_id, parent, start))
    random.shuffle(spans)
    return spans


def _span(random: Random, trace_id: bytes, parent: bytes, trace_start: int) -> Span:
    start = trace_start + random.choice((0, 0, 1, random.randrange(50 * _MS), random.randrange(3000 * _MS)))
    length = random.choice((0, 1, 999_999, _MS, random.randrange(20 * _MS), 5 * _MS, 5 * _MS + 1, -3 * _MS))
    if random.random() < 0.03:
        length = random.choice((100 * _MS, 100 * _MS - 1, 5000 * _MS))
    status = Status(code=random.choice((0, 0, 0, 0, 0, 0, 1, 2)))  # type: ignore[arg-type]
    if random.random() < 0.1:
        status.message = random.choice(TEXTS)
    return Span(
        trace_id=trace_id,
        span_id=random.randbytes(8),
        parent_span_id=parent,
        name=random.choice(NAMES),
        kind=random.randrange(6),  # type: ignore[arg-type]
        start_time_unix_nano=start,
        end_time_unix_nano=start + length,
        status=status,
        trace_state=random.choice(TRACE_STATES) if random.random() < 0.2 else "",
        flags=random.choice(FLAGS) if random.random() < 0.3 else 0,
        attributes=_with_doubles(random, _attributes(random)),
        dropped_attributes_count=random.choice((0, 0, 0, 2)),
        dropped_events_count=random.choice((0,) * 9 + (1,)),
        dropped_links_count=random.choice((0,) * 9 + (3,)),
        events=[_event(random, start) for _ in range(random.choice((0, 0, 0, 1, 2)))],
        links=[Span.Link(trace_id=random.randbytes(16), span_id=random.randbytes(8))] if random.random() < 0.05 else [],
    )


def _makers(random: Random) -> dict[str, Callable[[], object]]:
    return {
        "text": lambda: random.choice(TEXTS),
        "number": lambda: random.choice((-1, 0, 1, 7, 50, 70, 99, 100, 101, 500, 2**63 - 1, -(2**63))),
        "flag": lambda: random.random() < 0.3,
        "ratio": lambda: random.choice((0.0, -0.5, 0.25, 1.0, 1e300, 1e-7, 123456789.0)),
        "blob": lambda: random.choice((b"\x00\xff", b"", b"\x80\x01", b"missing!", random.randbytes(5))),
        "tags": lambda: random.choice(
            (
                ["a", "b"],
                [],
                [1, 2.5, None],
                ["x", [True]],
                [b"\x00\xff"],
                ["b", "C", "a"],
                [10, 9, 2.5],
                [{"k": "x", "v": 1}],
            )
        ),
        "meta": lambda: random.choice(({"a": 1}, {}, {"a": {"b": ["c"]}}, {"b": "x", "a": 2.0})),
        "nothing": lambda: None,
        "parsed": lambda: random.choice(PARSED),
    }


def _attributes(random: Random) -> dict[str, object]:
    """A few attributes, most under the key of their type, some under another's."""
    makers = _makers(random)
    found: dict[str, object] = {}
    for key, make in makers.items():
        if random.random() < 0.3:
            found[key] = make()
    if random.random() < 0.1:
        key = random.choice(("text", "flag", "number", "any"))
        types = sorted(makers.keys() - {"ratio"} if key == "number" else makers)
        found[key] = makers[random.choice(types)]()
    return found


def _with_doubles(random: Random, attributes: dict[str, object]) -> list[KeyValue]:
    """The attributes, and now and then one of them a second time."""
    found = pairs(attributes)
    if found and random.random() < 0.05:
        found += pairs({random.choice(found).key: random.choice(TEXTS)})
    return found


def _event(random: Random, start: int) -> Span.Event:
    return Span.Event(
        time_unix_nano=start + random.randrange(10 * _MS),
        name=random.choice(("exception", "retry", "送信", "")),
        attributes=pairs(_attributes(random)),
        dropped_attributes_count=random.choice((0, 0, 1)),
    )
