"""Channels name collections where nothing else does, also of work outside of requests."""

from __future__ import annotations

import pytest
from milvus_otel_processor.enrichment.catalogue.collection import Collection

from tests.support.enrichment import (
    CHANNEL,
    MILLISECOND,
    PRODUCTS,
    Bench,
    attributes,
    decoded,
    line,
    request_trace,
    served,
    span,
    trace_of,
)
from tests.support.spans import together


def test_a_channel_names_the_collection_where_nothing_else_told() -> None:
    bench = Bench()
    bench.know(PRODUCTS)
    trace = request_trace(span(3, "Proxy-Search-Execute", parent=1, events=[CHANNEL]))
    bench.enrich(trace)
    for one in decoded(trace).values():
        assert attributes(one)["db.collection.name"] == "products"
        assert attributes(one)["milvus.enrichment"] == "channel"
    assert bench.telemetry.enriched_requests == {"channel": 1}


def test_channels_of_two_collections_name_none() -> None:
    bench = Bench()
    bench.know(PRODUCTS, Collection(5, "default", "articles"))
    trace = request_trace(span(3, "a", parent=1, events=[CHANNEL, "by-dev-rootcoord-dml_1_5v1"]))
    bench.enrich(trace)
    assert attributes(decoded(trace)["a"]) == {}


@pytest.mark.parametrize("name", ["ChannelTask-Grow-by-dev-rootcoord-dml_2_470643241072459884v0", "Operate"])
def test_work_outside_of_requests_is_named_by_its_channel(name: str) -> None:
    bench = Bench()
    bench.know(PRODUCTS)
    trace = trace_of(span(1, name, events=[CHANNEL]))
    assert bench.enrich(trace) is not None
    assert attributes(decoded(trace)[name])["db.collection.name"] == "products"


def test_work_on_a_collection_that_nobody_knows_is_left_alone() -> None:
    bench = Bench()
    trace = trace_of(span(1, "Operate", events=[CHANNEL]))
    assert bench.enrich(trace) is None
    assert attributes(decoded(trace)["Operate"]) == {}


def test_segcore_whose_parent_is_missing_gets_the_names_of_the_traces_one_collection() -> None:
    bench = Bench()
    bench.log(line("Search"), line("Query"))
    trace = trace_of(served(1, "Search"), served(2, "Query"), span(3, "app work", parent=77))
    segcore = trace_of(span(4, "SegCoreSearch", parent=78), service="segcore")
    trace = together(trace, segcore)
    bench.enrich(trace)
    spans = decoded(trace)
    assert "db.collection.name" not in attributes(spans["SegCoreSearch"])  # Search or Query: the operation is not sure
    bench = Bench()
    bench.log(line("Search"), line("Search", end=8 * MILLISECOND, cost="8ms"))
    trace = trace_of(served(1, "Search"), served(2, "Search", cost=8 * MILLISECOND))
    trace = together(trace, segcore)
    bench.enrich(trace)
    assert attributes(decoded(trace)["SegCoreSearch"])["db.collection.name"] == "products"
