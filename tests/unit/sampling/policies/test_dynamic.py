from __future__ import annotations

from functools import cache
from random import Random
from typing import TYPE_CHECKING

import pytest
from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.sampling.hints.reads import Reads
from milvus_otel_processor.sampling.policies import Clock as Clocks
from milvus_otel_processor.sampling.policies.dynamic import Dynamic, DynamicSettings
from milvus_otel_processor.sampling.thresholds import NEVER, of_probability
from pydantic import ValidationError

from tests.support.clock import Clock
from tests.support.policies import samples
from tests.support.spans import span, trace_of, with_id
from tests.support.stores import any_store as every_store  # noqa: F401 - a fixture

if TYPE_CHECKING:
    from milvus_otel_processor.spans.contract import Trace


class Policy:
    def __init__(self, **settings: object) -> None:
        self.clock = Clock()
        values = {"traces_per_second": 1, "keys": ["db.collection.name"], "adjustment_interval": "10s", **settings}
        self.evaluator = Dynamic(
            DynamicSettings.model_validate(values), Clocks(self.clock, lambda: int(self.clock.now * 1e9))
        )

    def samples(self, trace: Trace) -> bool:
        return self.evaluator.evaluate(trace) is Decision.SAMPLED


def on(collection: str, number: int = 1) -> Trace:
    return with_id(_on(collection), Random(number).randbytes(16))


@cache
def _on(collection: str) -> Trace:
    return trace_of(span(attributes={"db.collection.name": collection}))


def test_each_collection_has_its_share() -> None:
    policy = Policy(traces_per_second=10)
    number = 0
    kept = {"busy": 0, "quiet": 0}
    for interval in range(12):
        for _ in range(1000):
            number += 1
            collection = "quiet" if number % 200 == 0 else "busy"
            sampled = policy.samples(on(collection, number))
            kept[collection] += sampled if interval >= 2 else 0
            policy.clock.advance(0.01)
    assert kept["quiet"] == 50  # all of them, in ten intervals
    assert kept["busy"] == pytest.approx(10 * 95, rel=0.15)


def test_the_same_trace_at_the_same_rate_has_the_same_answer() -> None:
    first, second = Policy(traces_per_second=5), Policy(traces_per_second=5)
    traces = [on("a", number) for number in range(1, 500)]
    assert [first.samples(trace) for trace in traces] == [second.samples(trace) for trace in traces]


def test_it_chooses_among_the_traces_that_probabilistic_chooses() -> None:
    policy = Policy(traces_per_second=10)
    traces = [on("a", number) for number in range(1, 3000)]
    for trace in traces:
        policy.samples(trace)
    policy.clock.advance(10)
    kept = [trace for trace in traces if policy.samples(trace)]
    assert 50 < len(kept) < 150
    assert all(
        samples(trace, "probabilistic", {"sampling_percentage": 7}) for trace in kept[1:]
    )  # the first is kept whatever its id


def test_the_threshold_is_that_of_the_last_trace() -> None:
    policy = Policy(traces_per_second=1)
    for number in range(1, 1001):
        policy.samples(on("a", number))
    policy.clock.advance(10)
    policy.samples(on("a"))
    assert policy.evaluator.threshold(on("a")) == 0
    policy.samples(on("a"))
    half_of_all = of_probability(9 / 499)  # the average of 1000 and of the nothing before, less the first
    assert policy.evaluator.threshold(on("a")) == half_of_all
    policy.samples(on("b"))
    assert policy.evaluator.threshold(on("b")) == 0


def test_a_key_is_the_values_of_all_attributes_whatever_the_order_of_the_spans() -> None:
    policy = Policy(keys=["db.collection.name", "db.operation.name", "shop.id"])
    first = span(attributes={"db.collection.name": "a", "db.operation.name": "search"})
    second = span(attributes={"db.collection.name": "b", "shop.id": 7})
    keys = {
        policy.evaluator._key(trace_of(*spans))
        for spans in ([first, second], [second, first], [first, first, second], [first, second, span()])
    }
    assert len(keys) == 1
    assert policy.evaluator._key(trace_of(first)) not in keys


def test_a_value_that_is_missing_is_a_key_of_its_own() -> None:
    policy = Policy()
    assert policy.evaluator._key(trace_of(span())) != policy.evaluator._key(on("a"))
    assert policy.evaluator._key(trace_of()) == policy.evaluator._key(trace_of(span()))


def test_attributes_of_resources_count() -> None:
    policy = Policy(keys=["service.name"])
    shop = trace_of(span(), resource={"service.name": "shop"})
    assert policy.evaluator._key(shop) == ((b"shop",),)


def test_names_of_spans_and_of_roots_can_be_keys() -> None:
    policy = Policy(keys=["root.name", "span.name", "db.collection.name"])
    trace = trace_of(
        span(name="checkout"), span(number=2, parent=1, name="search", attributes={"db.collection.name": "a"})
    )
    assert policy.evaluator._key(trace) == ((b"checkout",), (b"checkout", b"search"), (b"a",))
    assert policy.evaluator._key(trace_of(span(number=2, parent=1, name="search"))) == ((), (b"search",), ())


def test_enrichment_is_waited_for_where_a_key_is_of_it() -> None:
    assert Policy(keys=["http.route", "db.collection.name"]).evaluator.reads is Reads.FACTS
    assert Policy(keys=["http.route", "root.name"]).evaluator.reads is Reads.NOTHING


@pytest.mark.parametrize("seed", range(2))
def test_a_route_that_comes_every_twenty_seconds_is_kept_each_time_beside_a_frequent_one(seed: int) -> None:
    policy = Policy(keys=["http.route"], traces_per_second=2, adjustment_interval="15s")
    random = Random(seed)
    kept = {"/frequent": 0, "/rare": 0}
    traces = {route: trace_of(span(attributes={"http.route": route})) for route in kept}
    for number in range(600 * 50):
        routes = ["/frequent", *(["/rare"] if number % 1000 == 500 else [])]
        for route in routes:
            kept[route] += policy.samples(with_id(traces[route], random.randbytes(16)))
        policy.clock.advance(0.02)
    assert kept["/rare"] == 30
    assert kept["/frequent"] == pytest.approx(600 * 2 - 30 + 100, rel=0.1)  # before the first adjustment some more


def test_a_key_does_not_grow_with_the_trace() -> None:
    policy = Policy()
    trace = trace_of(*(span(attributes={"db.collection.name": f"{number:03}" + "x" * 9999}) for number in range(100)))
    (values,) = policy.evaluator._key(trace)
    assert sum(map(len, values)) <= 16 * 256


def test_among_traces_that_were_sampled_before_by_the_same_number_the_budget_holds() -> None:
    # Sampled with 10% in front: only random numbers in the upper tenth come.
    policy = Policy(traces_per_second=10)
    random = Random(4)
    kept = []
    for number in range(12_000):
        trace = on("a", number)
        trace.incoming_threshold = of_probability(0.1)
        trace.randomness = random.randrange(trace.incoming_threshold, NEVER)
        kept.append(policy.samples(trace))
        policy.clock.advance(0.01)
    assert sum(kept[2000:]) == pytest.approx(1000, rel=0.15)
    assert policy.evaluator.threshold(on("a")) == pytest.approx(of_probability(0.01), rel=0.01)


@pytest.mark.parametrize(
    "settings",
    [
        {"traces_per_second": 0},
        {"traces_per_second": -1},
        {"keys": []},
        {"weight": 0},
        {"weight": 1.1},
        {"max_keys": 0},
        {"adjustment_interval": "0s"},
    ],
)
def test_settings_that_mean_nothing_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Policy(**settings)
