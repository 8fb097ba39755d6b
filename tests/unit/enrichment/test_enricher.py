"""What is known of a request is written on its spans, on no others, and over nothing that is there."""

from __future__ import annotations

from dataclasses import replace

import pytest
from milvus_otel_processor.enrichment.catalogue.collection import Collection
from milvus_otel_processor.enrichment.settings import MilvusSettings
from milvus_otel_processor.spans.schema import DecodeError

from tests.support.enrichment import (
    CLIENT,
    MILLISECOND,
    PRODUCTS,
    SEARCH,
    Bench,
    attributes,
    decoded,
    line,
    request_trace,
    served,
    span,
    trace_of,
)
from tests.support.spans import with_more


def test_every_span_of_a_request_gets_its_names_and_its_own_span_the_details() -> None:
    bench = Bench()
    bench.log(line("Search", partitions="[_default]"))
    trace = request_trace()
    bench.enrich(trace)
    names = {
        "db.system.name": "milvus",
        "db.namespace": "default",
        "db.collection.name": "products",
        "db.operation.name": "Search",
        "milvus.enrichment": "access_log",
    }
    spans = decoded(trace)
    assert attributes(spans["SearchTask"]) == names
    assert attributes(spans[SEARCH]) == names | {
        "milvus.partitions": ["_default"],
        "milvus.sdk.version": "Python-3.0.2",
    }


def test_an_attribute_that_a_span_has_is_not_overwritten() -> None:
    bench = Bench()
    bench.log(line("Search"))
    trace = trace_of(
        served(1, "Search", db__collection__name="theirs"), span(2, "SearchTask", parent=1, db__namespace="theirs")
    )
    bench.enrich(trace)
    spans = decoded(trace)
    assert attributes(spans[SEARCH])["db.collection.name"] == "theirs"
    assert attributes(spans[SEARCH])["db.namespace"] == "default"
    assert attributes(spans["SearchTask"])["db.collection.name"] == "products"


def test_without_a_source_that_knows_nothing_is_written() -> None:
    bench = Bench()
    trace = request_trace()
    before = list(trace.spans)
    assert bench.enrich(trace) is None
    assert trace.spans == before
    assert bench.telemetry.enriched_requests == {"unknown": 1}


def test_calls_of_one_trace_of_which_nothing_is_known_tell_each_other_nothing() -> None:
    trace = trace_of(served(1, "Search"), served(2, "Query", parent=1), span(3, "work", parent=2))
    assert Bench().enrich(trace) is None
    assert all(attributes(one) == {} for one in decoded(trace).values())


def test_a_request_without_a_collection_is_counted_as_such() -> None:
    bench = Bench()
    bench.log(line("Connect", "Unknown", namespace="Unknown", partitions="Unknown"))
    trace = trace_of(served(1, "Connect"))
    bench.enrich(trace)
    (has,) = map(attributes, decoded(trace).values())
    assert "db.collection.name" not in has
    assert (has["db.operation.name"], has["milvus.enrichment"]) == ("Connect", "access_log")
    assert bench.telemetry.enriched_requests == {"no_collection": 1}


def test_a_clients_span_names_the_whole_operation_and_the_line_adds_what_it_knows() -> None:
    bench = Bench()
    bench.log(
        line("DescribeCollection", end=3 * MILLISECOND, cost="1ms"),
        line("Search", end=9 * MILLISECOND, status="Failed", code="65535", message="no"),
    )
    trace = trace_of(
        span(1, "app"),
        span(
            2,
            "search products",
            parent=1,
            kind=CLIENT,
            db__system__name="milvus",
            db__collection__name="products",
            db__operation__name="search",
        ),
        served(3, "DescribeCollection", parent=2, start=2 * MILLISECOND, cost=MILLISECOND),
        served(4, "Search", parent=2, start=4 * MILLISECOND),
        span(5, "SegCoreSearch", parent=4),
    )
    common = bench.enrich(trace)
    spans = decoded(trace)
    for name in ("search products", "milvus.proto.milvus.MilvusService/DescribeCollection", SEARCH, "SegCoreSearch"):
        has = attributes(spans[name])
        assert (has["db.collection.name"], has["db.operation.name"]) == ("products", "search")
        assert (has["db.namespace"], has["milvus.enrichment"]) == ("default", "client")
    assert attributes(spans["search products"])["milvus.sdk.version"] == "Python-3.0.2"
    assert "error.type" not in attributes(spans["search products"])  # the client knows by itself whether it failed
    assert attributes(spans[SEARCH])["error.type"] == "65535"
    assert spans[SEARCH].status.code == 2
    assert common is not None
    assert attributes(spans["app"]) == {}
    assert bench.telemetry.enriched_requests == {"client": 1}


def test_an_operation_that_does_not_say_its_collection_learns_it_from_its_calls() -> None:
    bench = Bench()
    bench.log(line("Search"))
    operation = span(1, "search", kind=CLIENT, db__system="milvus", db__collection__name="unknown")
    trace = trace_of(operation, served(2, "Search", parent=1))
    bench.enrich(trace)
    assert attributes(decoded(trace)[SEARCH])["milvus.enrichment"] == "access_log"
    assert attributes(decoded(trace)["search"])["milvus.enrichment"] == "access_log"
    assert bench.telemetry.enriched_requests == {"access_log": 1}


def test_an_alias_becomes_its_collection_and_the_name_used_is_kept() -> None:
    bench = Bench()
    bench.know(PRODUCTS)
    bench.log(line("Search", "live"))
    trace = request_trace()
    bench.enrich(trace)
    for one in decoded(trace).values():
        assert attributes(one)["db.collection.name"] == "products"
        assert attributes(one)["milvus.collection.alias"] == "live"


def test_facts_of_the_catalogue_go_on_the_requests_own_span() -> None:
    bench = Bench()
    bench.know(PRODUCTS, Collection(2, "shop", "products", row_count=7))
    bench.log(line("Search"))
    trace = request_trace()
    bench.enrich(trace)
    has = attributes(decoded(trace)[SEARCH])
    assert has["milvus.collection.id"] == "470643241072459884"
    assert (has["milvus.collection.row_count"], has["milvus.collection.dynamic_field"]) == (12, True)
    assert (has["milvus.vector.dimensions"], has["milvus.vector.index_types"]) == ([64], ["HNSW"])
    assert not any(name.startswith("milvus.vector") for name in attributes(decoded(trace)["SearchTask"]))


def test_a_malformed_span_is_told_to_the_caller() -> None:
    bench = Bench()
    bench.log(line("Search"))
    trace = with_more(request_trace(), b"\xff")
    with pytest.raises(DecodeError):
        bench.enrich(trace)


def test_settings_choose_what_goes_where() -> None:
    chosen = {
        "attributes": {
            "subtree": {"include": ["db.collection.name", "milvus.sdk.*"]},
            "request": {"include": ["*", "enduser.id"], "exclude": ["db.*", "milvus.enrichment"]},
        }
    }
    bench = Bench(MilvusSettings.model_validate(chosen))
    bench.log(line("Search", user="root"))
    trace = request_trace()
    bench.enrich(trace)
    names = {"db.collection.name": "products", "milvus.sdk.version": "Python-3.0.2"}
    assert attributes(decoded(trace)["SearchTask"]) == names
    assert attributes(decoded(trace)[SEARCH]) == names | {"enduser.id": "root"}


def test_the_user_is_written_only_where_it_is_asked_for_by_name() -> None:
    for include in (["*"], ["enduser.*"]):
        bench = Bench(MilvusSettings.model_validate({"attributes": {"request": {"include": include}}}))
        bench.log(line("Search", user="root"))
        trace = request_trace()
        bench.enrich(trace)
        assert "enduser.id" not in attributes(decoded(trace)[SEARCH])


@pytest.mark.parametrize(
    ("state", "operation", "told"), [("Loading", "Search", None), ("NotLoad", "Insert", "NotLoad")]
)
def test_a_search_that_went_well_contradicts_a_collection_that_is_not_loaded(
    state: str, operation: str, told: str | None
) -> None:
    bench = Bench()
    bench.know(replace(PRODUCTS, load_state=state))
    bench.log(line(operation))
    trace = trace_of(served(1, operation))
    bench.enrich(trace)
    ((_, own),) = decoded(trace).items()
    assert attributes(own).get("milvus.collection.load_state") == told
    assert bool(bench.enrichment.catalogue.take_misses()) == (told is None)


def test_a_span_of_a_call_that_names_a_collection_names_its_request() -> None:
    bench = Bench()
    name = "/milvus.proto.milvus.MilvusService/Search"
    caller = span(
        2, name, kind=CLIENT, parent=1, db__collection__name="orders", db__namespace="shop", rpc__method="Search"
    )
    trace = trace_of(span(1, "app"), caller, served(3, "Search", parent=2), span(4, "SearchTask", parent=3))
    bench.enrich(trace)
    for one in ("SearchTask", SEARCH):
        has = attributes(decoded(trace)[one])
        assert (has["db.collection.name"], has["db.namespace"], has["milvus.enrichment"]) == (
            "orders",
            "shop",
            "client",
        )
    assert "db.collection.name" not in attributes(decoded(trace)["app"])
    assert bench.telemetry.enriched_requests == {"client": 1}


def test_a_span_of_a_call_without_a_collection_tells_nothing() -> None:
    bench = Bench()
    caller = span(2, "/milvus.proto.milvus.MilvusService/Search", kind=CLIENT, db__operation__name="search")
    trace = trace_of(caller, served(3, "Search", parent=2))
    bench.enrich(trace)
    assert bench.telemetry.enriched_requests == {"unknown": 1}
