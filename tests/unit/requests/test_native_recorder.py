"""Requests that are counted in Rust are counted as in Python: the same series, times and kinds of calls, request by request."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from milvus_otel_processor.requests.record import OVERFLOW
from milvus_otel_processor.requests.recorder import Recorder

from tests.support import stores
from tests.support.counted import Counted, Records
from tests.support.enrichment import CHANNEL, CLIENT, MILLISECOND, PRODUCTS, attributes, line, served, span
from tests.support.harness import ALWAYS, drop_roots, sampling
from tests.support.recordings import VERSIONS, Recording, recordings
from tests.support.replayed import Replayed, replay
from tests.support.stores import any_store as every_store
from tests.support.stores import native_store_there

if TYPE_CHECKING:
    from milvus_otel_processor.sampling.settings import TailSamplingSettings
    from milvus_otel_processor.spans.contract import Trace
    from milvus_otel_processor.spans.stores import StoreKind
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

__all__ = ["every_store", "native_store_there"]

pytestmark = pytest.mark.usefixtures("native_store_there")

KINDS: tuple[StoreKind, ...] = ("reference", "native")
ERRORS: dict[str, Any] = {"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}}
SOME: dict[str, Any] = {"name": "some", "type": "probabilistic", "probabilistic": {"sampling_percentage": 30}}
COLLECTION: dict[str, Any] = {"name": "one", "type": "collection", "collection": {"names": ["products"]}}
WAITED: dict[str, Any] = {
    "name": "waited",
    "type": "numeric_attribute",
    "numeric_attribute": {"key": "milvus.time.queue_ms", "min_value": 0, "max_value": 3},
}


def _ottl(*conditions: str) -> dict[str, Any]:
    return {"name": "ottl", "type": "ottl_condition", "ottl_condition": {"span": list(conditions)}}


ALL = [Recording("2.3.5", "traces"), *(one for version in VERSIONS for one in recordings(version))]
METHODS = ("Search", "Query", "Insert", "HasCollection", "GetLoadState", "DescribeCollection")
FAILED = {"status": "Failed", "code": "100", "message": "collection not found"}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Counter[bool]:
    """How many traces Python looks into, by whether they are kept."""
    counts: Counter[bool] = Counter()
    see = Recorder.see

    def noted(self: Recorder, trace: Trace, *, kept: bool) -> Any:
        counts[kept] += 1
        return see(self, trace, kept=kept)

    monkeypatch.setattr(Recorder, "see", noted)
    return counts


@pytest.mark.parametrize("recording", ALL, ids=str)
def test_recorded_requests_are_counted_alike(recording: Recording) -> None:
    found = []
    for kind in KINDS:
        seen: list[Records] = []

        def watch(made: Replayed, seen: list[Records] = seen) -> None:
            seen.append(Records(made.requests.counts))

        with stores.using(kind):
            replayed = replay(recording, sampling=sampling(ERRORS, SOME), watch=watch)
        told = {span_id: attributes(one) for span_id, one in replayed.spans.items()}
        found.append((Counter(seen[0].all), replayed.telemetry.calls_apart, told))
        assert not +replayed.telemetry.stage_failures
    assert found[0] == found[1]


def test_python_is_asked_once_of_requests_that_are_alike(asked: Counter[bool]) -> None:
    with stores.using("native"):
        replayed = replay(Recording("2.5.24", "busy"), sampling=sampling(ERRORS))
    assert sum(sum(one.counts) for one in replayed.requests.counts.requests().values()) > 5000
    assert asked[False] < 100


def test_calls_whose_lines_took_a_closer_look_are_counted_natively_from_then_on(asked: Counter[bool]) -> None:
    """Two calls of one method that ended within a millisecond: by their order alone it would not be plain which line is whose."""
    with stores.using("native"):
        made = Counted(sampling(ALWAYS))
        for number in range(1, 4):
            trace_id = bytes([number]) * 16
            for collection, cost in (("products", "5ms"), ("articles", "2ms")):
                made.log(line("Search", collection, cost=cost, trace_id=trace_id.hex()))
            calls = [
                served(10 * number + place, "Search", trace_id=trace_id, start=start, cost=5 * MILLISECOND - start)
                for place, start in enumerate((0, 3 * MILLISECOND))
            ]
            found = made.sent(*calls)
            assert [one.series.collection for one in found[-2:]] == ["products", "articles"]
            assert asked[True] == 1


class Traces:
    """Traces as no Milvus makes them, and lines about some of them."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.number = 0
        self.lines: list[str] = []

    def next(self) -> int:
        self.number += 1
        return self.number

    def call(self, parent: int, trace_id: bytes, at: int) -> list[Span]:
        """The spans of a call, and perhaps its line."""
        random = self.random
        method = random.choice(METHODS)
        cost = random.choice((0, 1, 5, 7, 30)) * MILLISECOND + random.randrange(MILLISECOND)
        spans = []
        if random.random() < 0.5:
            names = {"db__collection__name": "articles"} if random.random() < 0.2 else {}
            name = f"/milvus.proto.milvus.MilvusService/{method}"
            spans.append(
                span(
                    self.next(),
                    name,
                    kind=CLIENT,
                    parent=parent,
                    trace_id=trace_id,
                    start=at,
                    cost=cost + 1000,
                    **names,
                )
            )
            parent = self.number
        if random.random() < 0.95:
            status = {"rpc__grpc__status_code": random.choice((0, 0, 0, 4))} if random.random() < 0.7 else {}
            wrong = -1 if random.random() < 0.03 else 1
            spans.append(
                served(self.next(), method, parent=parent, trace_id=trace_id, start=at, cost=wrong * cost, **status)
            )
            parent = self.number
        for name in (
            "Proxy-Search",
            "SearchTask",
            "Delegator-waitTSafe",
            "milvus.proto.query.QueryNode/Search",
            "work",
        ):
            if random.random() < 0.5:
                events = (CHANNEL,) if random.random() < 0.1 else ()
                work = span(
                    self.next(),
                    name,
                    parent=parent,
                    trace_id=trace_id,
                    start=at + random.randrange(cost + 1),
                    events=events,
                )
                spans.append(work)
        if random.random() < 0.8:
            of_trace = trace_id.hex() if random.random() < 0.9 else ""
            end = at + cost - random.choice((0, 0, 0, 2, 150)) * MILLISECOND
            more = FAILED if random.random() < 0.2 else {}
            names = {
                "collection": random.choice(("products", "articles", "live", "no name", "")),
                "namespace": "default",
            }
            self.lines.append(
                line(method, end=max(0, end), cost=f"{cost / MILLISECOND}ms", trace_id=of_trace, **names, **more)
            )
        return spans

    def trace(self) -> list[Span]:
        random = self.random
        trace_id = random.randbytes(16)
        at = random.randrange(1000) * MILLISECOND
        spans, parent = [], 0
        if random.random() < 0.4:
            system: dict[str, Any] = {
                "db__system__name" if random.random() < 0.7 else "db__system": random.choice(
                    ("milvus", "milvus", "redis")
                )
            }
            names: dict[str, Any] = (
                {"db__collection__name": random.choice(("products", "unknown", ""))} if random.random() < 0.6 else {}
            )
            spans.append(span(self.next(), "app search", kind=CLIENT, trace_id=trace_id, start=at, **system, **names))
            parent = self.number
        for _ in range(random.choice((1, 1, 1, 1, 2, 3))):
            spans += self.call(random.choice((parent, parent, 0, 99)), trace_id, at)
            at += random.randrange(2) * 10 * MILLISECOND
        if spans and random.random() < 0.1:
            spans.append(random.choice(spans))
        if spans and random.random() < 0.2:
            del spans[random.randrange(len(spans))]
        if random.random() < 0.3:
            random.shuffle(spans)
        return spans


def counted(
    seed: int, settings: TailSamplingSettings, *, catalogue: bool, max_series: int = 2000
) -> tuple[object, ...]:
    """What is counted of some traces."""
    made = Counted(settings, max_series=max_series)
    traces = Traces(seed)
    all_spans = [spans for spans in (traces.trace() for _ in range(60)) if spans]
    enrichment = made.assembled.enrichment
    assert enrichment is not None
    chance = Random(seed)
    made.log(*traces.lines)
    for number, spans in enumerate(all_spans):
        if number == len(all_spans) // 3 and catalogue:
            enrichment.catalogue.put(PRODUCTS)
        if number == len(all_spans) // 2 and catalogue:
            enrichment.catalogue.remove(PRODUCTS)
        late = [spans.pop()] if len(spans) > 2 and chance.random() < 0.2 else []
        made.come(*spans)
        if chance.random() < 0.3 or late:
            made.decide()
        if late:
            made.come(*late)
    made.decide()
    assert not +made.telemetry.stage_failures
    told = {span_id: attributes(one) for span_id, one in made.kept.items()}
    return Counter(made.records.all), made.apart, told, made.requests.counts.series.folded


@pytest.mark.parametrize("seed", range(30))
def test_odd_requests_are_counted_alike(seed: int) -> None:
    settings = (
        sampling(drop_roots("app search"), ERRORS, SOME),
        sampling(ERRORS, SOME),
        sampling(ERRORS, SOME),
        sampling(ERRORS, COLLECTION),
        sampling(ERRORS, WAITED),
        sampling(_ottl('name == "app search"', 'attributes["milvus.time.queue_ms"] < 3'), SOME),
    )[seed % 6]
    found = []
    for kind in KINDS:
        with stores.using(kind):
            found.append(counted(seed, settings, catalogue=seed % 2 == 0))
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("rules", "is_read"),
    [
        ((ERRORS, COLLECTION), False),
        ((ERRORS, WAITED), True),
        (({"name": "not", "type": "not", "not": {"not_sub_policy": WAITED}}, ERRORS), True),
        (({**WAITED, "mode": "shadow"}, ERRORS), True),
        (({"name": "both", "type": "and", "and": {"and_sub_policy": [COLLECTION, WAITED]}},), True),
        (({"name": "both", "type": "and", "and": {"and_sub_policy": [COLLECTION, SOME]}},), False),
        (({"name": "m", "type": "milvus_error", "milvus_error": {}},), False),
        ((_ottl('attributes["a"] == 1'),), False),
        ((_ottl('attributes["milvus.time.wait_ms"] > 200'),), True),
        ((_ottl("Len(attributes) > 9"),), True),
    ],
    ids=[
        "collection",
        "times",
        "not times",
        "shadow",
        "collection and times",
        "collection and some",
        "errors",
        "ottl",
        "ottl of times",
        "ottl of all",
    ],
)
def test_only_for_rules_on_times_are_all_requests_seen(rules: tuple[dict[str, Any], ...], is_read: bool) -> None:
    with stores.using("native"):
        wanted = Counted(sampling(*rules)).requests.wants(rules_read=True)
    assert bool(wanted.texts) == is_read


def test_most_odd_requests_are_counted_natively(asked: Counter[bool]) -> None:
    with stores.using("native"):
        records, *_ = counted(1, sampling(ERRORS), catalogue=False)
    assert isinstance(records, Counter)
    assert 0 < asked[False] < records.total()


def test_requests_of_series_that_find_no_room_are_folded_each_time() -> None:
    """Which find room depends on the order in which they are decided, which is another in each store."""
    with stores.using("native"):
        records, *_, folded = counted(7, sampling(ERRORS), catalogue=False, max_series=3)
    assert isinstance(records, Counter)
    assert len({record.series for record in records}) == 4
    assert folded == sum(1 for record in records.elements() if record.series == OVERFLOW) > 0
