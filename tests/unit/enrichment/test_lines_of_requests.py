"""Which line of the access log a request gets, and until when."""

from __future__ import annotations

import random

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support.enrichment import (
    CLIENT,
    MILLISECOND,
    SEARCH,
    TRACE_ID,
    Bench,
    attributes,
    decoded,
    line,
    request_trace,
    served,
    span,
    trace_of,
)


def test_each_of_several_requests_gets_its_own_line_whatever_the_order() -> None:
    collections = ["products", "articles", "reviews", "orders"]
    spans, lines = [], []
    for number, collection in enumerate(collections, 1):
        start = number * 10 * MILLISECOND
        spans += [served(number, "Search", start=start), span(number + 10, f"of {collection}", parent=number)]
        lines.append(line("Search", collection, end=start + 5 * MILLISECOND))
    for seed in range(5):
        random.Random(seed).shuffle(lines)
        random.Random(seed).shuffle(spans)
        bench = Bench()
        bench.log(*lines)
        trace = trace_of(span(99, "app"), *spans)
        assert bench.enrich(trace) is None  # a late span could belong to any
        for one in map(Span.FromString, trace.spans):
            if one.name.startswith("of "):
                assert attributes(one)["db.collection.name"] == one.name.removeprefix("of ")


def test_requests_at_once_are_told_apart_by_how_long_they_took() -> None:
    bench = Bench()
    bench.log(line("Search", "slow", cost="5.1ms"), line("Search", "fast", cost="1.1ms"))
    trace = trace_of(
        served(1, "Search", start=0, cost=5 * MILLISECOND),
        span(2, "of slow", parent=1),
        served(3, "Search", start=4 * MILLISECOND, cost=MILLISECOND),
        span(4, "of fast", parent=3),
    )
    bench.enrich(trace)
    spans = decoded(trace)
    assert attributes(spans["of slow"])["db.collection.name"] == "slow"
    assert attributes(spans["of fast"])["db.collection.name"] == "fast"


def test_the_line_of_another_request_that_is_lost_is_not_taken() -> None:
    bench = Bench()
    bench.log(line("Search", "articles", end=900 * MILLISECOND))
    trace = request_trace()
    bench.enrich(trace)
    assert "db.collection.name" not in attributes(decoded(trace)[SEARCH])


def test_without_milvus_own_span_the_callers_gets_the_line_by_order() -> None:
    bench = Bench()
    bench.log(line("Search", "second", end=9_000 * MILLISECOND), line("Search", "first", end=7_000 * MILLISECOND))
    trace = trace_of(
        span(1, f"/{SEARCH}", kind=CLIENT),
        span(2, f"grpc.{SEARCH}", kind=CLIENT, start=10 * MILLISECOND),
        span(3, "app"),
    )
    bench.enrich(trace)
    spans = decoded(trace)
    assert attributes(spans[f"/{SEARCH}"])["db.collection.name"] == "first"
    assert attributes(spans[f"grpc.{SEARCH}"])["db.collection.name"] == "second"
    assert attributes(spans["app"]) == {}


@pytest.mark.parametrize(
    "text", ["my request", "9f1c6f0e-7d61-4a53-9b0f-3c6f3a1de0aa", "9f1c6f0e7d614a539b0f3c6f3a1de0aa"]
)
def test_a_client_request_id_in_the_trace_ids_place_is_made_up_for_by_connection_and_time(text: str) -> None:
    bench = Bench()
    bench.log(
        line("Search", trace_id=text, peer="tcp-10.0.0.7:5000"),
        line("Search", "other", trace_id="another", peer="tcp-10.0.0.7:5001"),
        line("Query", "other", trace_id="a third", peer="tcp-10.0.0.7:5000"),
        line("Search", "other", trace_id="a fourth", peer="tcp-10.0.0.7:5000", end=90 * MILLISECOND),
    )
    trace = trace_of(served(1, "Search", net__sock__peer__addr="10.0.0.7", net__sock__peer__port=5000))
    bench.enrich(trace)
    assert attributes(decoded(trace)[SEARCH])["db.collection.name"] == "products"


def test_of_two_lines_that_fit_equally_none_is_taken() -> None:
    bench = Bench()
    for number, name in enumerate(("products", "articles")):
        bench.log(line("Search", name, trace_id=f"id {number}", cost=f"5.00{number + 1}ms"))
    trace = trace_of(served(1, "Search", net__sock__peer__addr="127.0.0.1", net__sock__peer__port=5000))
    bench.enrich(trace)
    assert "db.collection.name" not in attributes(decoded(trace)[SEARCH])


def test_the_line_of_a_trace_that_still_waits_is_not_taken_by_another() -> None:
    other = bytes.fromhex("9f1c6f0e7d614a539b0f3c6f3a1de0aa")
    bench = Bench(waiting={other})
    bench.log(line("Search", trace_id=other.hex()))
    trace = trace_of(served(1, "Search", net__sock__peer__addr="127.0.0.1", net__sock__peer__port=5000))
    bench.enrich(trace)
    assert "db.collection.name" not in attributes(decoded(trace)[SEARCH])


def test_a_late_span_is_given_the_names() -> None:
    bench = Bench()
    bench.log(line("Search"))
    common = bench.enrich(request_trace())
    assert common is not None
    late = span(9, "late", parent=2).SerializeToString()
    assert attributes(Span.FromString(late + common.missing(late)))["db.collection.name"] == "products"


def test_a_line_that_comes_after_its_spans_but_before_the_decision_counts() -> None:
    bench = Bench()
    trace = request_trace()
    bench.log(line("Search"))
    bench.enrich(trace)
    assert attributes(decoded(trace)[SEARCH])["db.collection.name"] == "products"


def test_a_line_that_was_held_too_long_is_forgotten() -> None:
    bench = Bench()
    bench.log(line("Search"))
    bench.clock.now += 31
    bench.log(line("Query", trace_id=bytes(reversed(TRACE_ID)).hex()))
    trace = request_trace()
    bench.enrich(trace)
    assert "db.collection.name" not in attributes(decoded(trace)[SEARCH])
