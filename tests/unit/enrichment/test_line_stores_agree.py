"""The native store of lines and the one in Python are given the same, and have to say the same, in every respect."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields
from random import Random
from typing import TYPE_CHECKING

import pytest
from milvus_otel_processor.enrichment.access_log.changes import CHANGES, WRITES
from milvus_otel_processor.enrichment.access_log.line import Line
from milvus_otel_processor.enrichment.access_log.logs import AccessLog
from milvus_otel_processor.enrichment.access_log.stores import make_line_store
from milvus_otel_processor.spans.calls import Call, served_calls
from milvus_otel_processor.spans.schema import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support import recorded_enrichment as recorded
from tests.support.enrichment import MILLISECOND, START, Clock, line, logs, served
from tests.support.recordings import MIXES, Recording
from tests.support.stores import any_store as every_store

if TYPE_CHECKING:
    from collections.abc import Callable

    from milvus_otel_processor.enrichment.access_log.contract import LineStore
    from milvus_otel_processor.spans.stores import StoreKind
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

__all__ = ["every_store"]
pytestmark = pytest.mark.usefixtures("native_store_there")

OWN = bytes(range(16))
METHODS = (
    "Search",
    "Insert",
    "DescribeCollection",
    "CreateAlias",
    "Connect",
    "/v1/vector/search",
    "/v2/vectordb/entities/get?a=1",
)
PEERS = ("tcp-127.0.0.1:5000", "tcp-127.0.0.1:5001", "tcp-[::1]:7")
BUSY = (Recording("2.5.24", "busy"), Recording("2.6.16", "load-8x0.02"))
_OF_STORE = {"number", "request", "key", "claimed"}


class Side:
    """One of the stores, with what is counted and told."""

    def __init__(self, kind: StoreKind, clock: Clock, waiting: set[bytes], *, max_lines: int = 1000) -> None:
        self.counts = Counter[str]()
        self.told: set[tuple[str, str | None, str | None]] = set()
        self.store: LineStore = make_line_store(
            kind,
            own=OWN,
            max_lines=max_lines,
            hold=lambda: 60.0,
            clock=clock,
            counts=self.counts,
            is_waiting=lambda trace_id: trace_id in waiting,
        )
        self.log = AccessLog(
            self.store,
            self.counts,
            own=OWN,
            changed=lambda namespace, name: self.told.add(("changed", namespace, name)),
            wrote=lambda namespace, name: self.told.add(("wrote", namespace, name)),
        )


class Both:
    """The two stores, side by side."""

    def __init__(self, *, max_lines: int = 1000) -> None:
        self.clock = Clock()
        self.waiting: set[bytes] = set()
        kinds: tuple[StoreKind, ...] = ("reference", "native")
        self.sides = [Side(kind, self.clock, self.waiting, max_lines=max_lines) for kind in kinds]

    def ingest(self, request: bytes) -> None:
        def answer(side: Side) -> str | None:
            try:
                side.log.ingest(request)
            except DecodeError:
                return "malformed"
            return None

        self.same(answer)
        self.same(lambda side: (side.counts, side.told))
        self.same(lambda side: len(side.store))

    def observe(self, request: bytes) -> None:
        for side in self.sides:
            side.store.observe(request)

    def same(self, ask: Callable[[Side], object]) -> object:
        one, other = map(ask, self.sides)
        assert other == one
        return one

    def same_lines(self, trace_id: bytes) -> None:
        self.same(lambda side: [said(one) for one in side.store.of_trace(trace_id)])

    def agree_on(self, call: Call, span: bytes) -> None:
        """Compare all that is said of the trace of a call, and of the call."""
        trace_id = call.trace_id
        self.same(lambda side: side.store.knows(trace_id))
        self.same(lambda side: side.store.known_calls(trace_id))
        self.same_lines(trace_id)
        self.same(lambda side: side.store.may_have_failed(call))
        self.same(lambda side: side.store.may_calls_have_failed(trace_id))
        self.same(lambda side: side.store.knows_failure(trace_id, holds_calls=True))
        self.same(lambda side: side.store.wants_calls)
        found = [list(side.store.candidates_of(call.span_id, lambda: span)) for side in self.sides]
        assert [said(one.line) for one in found[1]] == [said(one.line) for one in found[0]]
        assert [one.probability for one in found[1]] == pytest.approx([one.probability for one in found[0]])

    def agree(self) -> None:
        """Compare what is said of all."""
        self.same(lambda side: side.store.holds_open_failures())
        self.same(lambda side: side.store.holds_lines_without_trace)
        self.same(lambda side: side.store.holds_lines_of_version_1)
        self.same(lambda side: side.store.holds_failures_of_version_1)
        self.same(
            lambda side: [said(one) for one in side.store.within("/v1/vector/search", START, START + MILLISECOND)]
        )


def made_up(number: int) -> bytes:
    """A trace id that looks as if a client had made it up."""
    return bytes.fromhex(f"{number:012x}4{0:03x}8{0:015x}")


def said(one: Line) -> list[object]:
    """What a line says, apart from what a store writes on it."""
    return [getattr(one, field.name) for field in fields(Line) if field.name not in _OF_STORE]


@pytest.mark.parametrize("recording", [*MIXES, *BUSY], ids=str)
def test_they_say_the_same_of_recorded_traffic(recording: Recording) -> None:
    both, lines = Both(max_lines=100_000), list(recording.lines or recorded.lines())
    requests = recording.requests
    for number, request in enumerate(requests):
        share = slice(number * len(lines) // len(requests), (number + 1) * len(lines) // len(requests))
        both.ingest(logs(*lines[share]))
        both.observe(request)
    both.agree()
    seen = 0
    for request in requests:
        for call, span in calls_in(request)[:: 1 if len(lines) < 1000 else 9]:
            both.agree_on(call, span)
            take_likeliest(both, call)
            seen += 1
    both.agree()
    assert seen > 20 or recording.name == "rest"


def take_likeliest(both: Both, call: Call) -> None:
    """Have both stores take the likeliest line as found, and the surplus of it learnt."""
    for side in both.sides:
        for one, _ in side.store.candidates_of(call.span_id, lambda: b"")[:1]:
            side.store.claim(one, call.span_id)
            side.store.learn(call.end - call.start - one.cost)


def calls_in(request: bytes) -> list[tuple[Call, bytes]]:
    spans = {
        span.span_id: span.SerializeToString()
        for resource in ExportTraceServiceRequest.FromString(request).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    }
    return [(call, spans[call.span_id]) for call in served_calls(request)]


def a_line(random: Random) -> str:
    """A line of a few calls at about the same time, of which some are odd in some way."""
    trace_id = random.choice(
        ("", "my request", OWN.hex(), f"{random.randrange(9):032x}", f"{random.randrange(9):016x}{'8':0<16}")
    )
    if random.random() < 0.2:
        trace_id = made_up(random.randrange(9)).hex()
    cost = random.choice(
        ("5ms", "261.921µs", "5.06ms", "1.5s", "1m2.5s", "77ns", "5", "", "1_0ms", ".5ms", "5.ms", "nanms")
    )
    failed = random.random() < 0.4
    text = line(
        random.choice(METHODS),
        random.choice(("products", "[a b]", "[a]", "a->b", "Unknown", "", "1x", "größe", "x" * 300)),
        end=random.randrange(12) * MILLISECOND // 2,
        cost=cost if random.random() < 0.4 else random.choice(("5ms", "4.9ms", "2.123456ms")),
        trace_id=trace_id,
        peer=random.choice(PEERS),
        user=random.choice(("Unknown", "root", "é", "5ms")),
        namespace=random.choice(("default", "other", "")),
        partitions=random.choice(("[]", "[a b]", '["a", "b"]', "p" * 5000)),
        status=random.choice(("Failed", "Failed", "GrpcCanceled", "GrpcX"))
        if failed
        else random.choice(("Successful", "OK", "Unknown", "HttpError404")),
        code=random.choice(("100", "700", "65535", "-1"))
        if failed
        else random.choice(("0", "0", "0", "200", "Unknown", "x")),
        message=random.choice(("", "", "collection not found", "cannot parse expression: a\tb", "nothing", "é")),
    )
    kind = random.random()
    if kind < 0.1:
        cut = random.randrange(len(text))
        return text[:cut]
    if kind < 0.15:
        return text + "\n" + line("Search")
    if kind < 0.2:
        return "[2026/11/18 01:02:03.004 +00:00] [Search] another format"
    if kind < 0.25:
        return text.replace(
            "2026/11/18", random.choice(("2026/02/30", "2024/02/29", "1969/12/31", "9999/01/01", "2026-11-18"))
        )
    if kind < 0.3:
        return text.replace("+00:00", random.choice(("+05:30", "-01:00", "+0000", "Z", "+25:00")))
    return text


def mutated(random: Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(random.randrange(1, 4)):
        changed[random.randrange(len(changed))] = random.randrange(256)
    return bytes(changed)


@pytest.mark.parametrize("seed", range(12))
def test_they_read_and_hold_the_same_lines(seed: int) -> None:
    random, both = Random(seed), Both(max_lines=60)
    for _ in range(120):
        request = logs(*(a_line(random) for _ in range(random.randrange(1, 9))))
        if random.random() < 0.2:
            request = mutated(random, request)
        both.ingest(request)
        both.clock.now += random.choice((0.0, 1.0, 1.0, 7.0, 61.0 if random.random() < 0.1 else 0.0))
        both.agree()
        for number in range(9):
            both.same_lines(number.to_bytes(16, "big"))
            both.same_lines(made_up(number))
    assert min(both.sides[0].counts[kind] for kind in ("received", "evicted", "malformed", "foreign", "doubled")) > 0
    assert {kind for kind, _, _ in both.sides[0].told} == {"changed", "wrote"}


@pytest.mark.parametrize("seed", range(12))
def test_they_pair_lines_and_calls_alike(seed: int) -> None:
    random, both = Random(seed), Both(max_lines=80)
    number, seen = 0, 0
    for _ in range(40):
        both.ingest(logs(*(a_line(random) for _ in range(random.randrange(6)))))
        message = ExportTraceServiceRequest()
        spans = message.resource_spans.add().scope_spans.add().spans
        for _ in range(random.randrange(5)):
            number += 1
            spans.append(one_call(random, number))
        request = message.SerializeToString()
        both.observe(request)
        for call, span in calls_in(request):
            both.agree_on(call, span)
            if random.random() < 0.3:
                take_likeliest(both, call)
            seen += 1
        both.waiting ^= {made_up(random.randrange(9))}
        both.clock.now += random.choice((0.0, 0.0, 1.0, 20.0))
        both.agree()
    assert seen > 40


def one_call(random: Random, number: int) -> Span:
    """Milvus' own span of a call, with a peer or without."""
    peers: tuple[dict[str, object], ...] = (
        {"net__sock__peer__addr": "127.0.0.1", "net__sock__peer__port": 5000},
        {"network__peer__address": "127.0.0.1", "network__peer__port": 5001},
        {"net__sock__peer__addr": "::1", "net__sock__peer__port": "7"},
        {},
    )
    return served(
        number,
        random.choice(METHODS[:5]),
        start=random.randrange(12) * MILLISECOND // 2 - random.choice((0, 5)) * MILLISECOND,
        cost=random.choice((5_060_000, 5_010_000, 4_950_000, 2_200_000, 5_400_000)),
        trace_id=random.choice(((number + 100).to_bytes(16, "big"), made_up(random.randrange(9)))),
        rpc__grpc__status_code=random.choice((0, 0, 0, 1, 16)),
        **random.choice(peers),
    )


def test_what_changes_a_collection_is_told_by_both() -> None:
    both = Both()
    for method in sorted(CHANGES | WRITES):
        both.ingest(logs(line(method, f"of_{method}"), line(method, f"of_{method}", status="Failed", code="5")))
    assert len(both.sides[1].told) == len(CHANGES | WRITES)
