"""What is known of a request is written on its spans, on no others, and over nothing that is there."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from milvus_otel_processor.enrichment.catalogue.collection import Collection
from milvus_otel_processor.enrichment.settings import MilvusSettings
from milvus_otel_processor.spans.schema import DecodeError
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.support.enrichment import (
    CLIENT,
    MILLISECOND,
    PRODUCTS,
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


def test_a_failed_request_makes_milvus_span_an_error() -> None:
    bench = Bench()
    bench.log(line("Search", "missing", status="Failed", code="100", message="collection not found"))
    trace = request_trace()
    assert trace.heads[0].status.code == 0
    bench.enrich(trace)
    spans = decoded(trace)
    assert (spans[SEARCH].status.code, spans[SEARCH].status.message) == (2, "collection not found")
    assert spans["SearchTask"].status.code == 0
    assert trace.heads[0].status.code == 2  # what the policies look at
    has = attributes(spans[SEARCH])
    assert (has["error.type"], has["db.response.status_code"]) == ("100", "100")
    assert has["milvus.error.message"] == "collection not found"
    assert "error.type" not in attributes(spans["SearchTask"])


def test_a_status_that_someone_has_set_stays() -> None:
    bench = Bench()
    bench.log(line("Search", status="Failed", code="100", message="ours"))
    one = served(1, "Search")
    one.status.CopyFrom(Status(code=Status.STATUS_CODE_ERROR, message="theirs"))
    trace = trace_of(one)
    bench.enrich(trace)
    assert decoded(trace)[SEARCH].status.message == "theirs"


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


def test_a_request_without_a_collection_is_counted_as_such() -> None:
    bench = Bench()
    bench.log(line("Connect", "Unknown", namespace="Unknown", partitions="Unknown"))
    trace = trace_of(served(1, "Connect"))
    bench.enrich(trace)
    (has,) = map(attributes, decoded(trace).values())
    assert "db.collection.name" not in has
    assert (has["db.operation.name"], has["milvus.enrichment"]) == ("Connect", "access_log")
    assert bench.telemetry.enriched_requests == {"no_collection": 1}


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


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        (
            "DescribeCollection",
            {"status": "Failed", "code": "100", "message": "collection not found"},
        ),  # Milvus until 2.4
        (
            "DescribeCollection",
            {"status": "Successful", "code": "0", "message": "can't find collection[database=default]"},
        ),
        ("HasCollection", {"status": "Failed", "code": "100", "message": "collection not found"}),
        ("DescribeIndex", {"status": "Failed", "code": "700", "message": "index not found"}),
        ("DescribeAlias", {"status": "Failed", "code": "1600", "message": "alias not found"}),
    ],
)
def test_the_answer_that_something_is_not_there_is_no_failure(method: str, answer: dict[str, Any]) -> None:
    bench = Bench()
    bench.log(line(method, "missing", **answer))
    name = f"milvus.proto.milvus.MilvusService/{method}"
    trace = trace_of(span(1, "app"), span(2, name, kind=CLIENT, parent=1), served(3, method, parent=2))
    assert not bench.enrichment.enricher.may_fail(trace)
    bench.enrich(trace)
    by_kind = {one.kind: one for one in map(Span.FromString, trace.spans)}
    server, caller = by_kind[Span.SPAN_KIND_SERVER], by_kind[Span.SPAN_KIND_CLIENT]
    assert server.status.code == 0
    assert attributes(caller)["db.collection.name"] == attributes(server)["db.collection.name"] == "missing"
    assert attributes(caller)["milvus.exists"] is False
    assert "error.type" not in attributes(caller)


def test_another_failure_of_a_method_that_asks_whether_something_is_there_is_a_failure() -> None:
    bench = Bench()
    bench.log(line("DescribeCollection", status="Failed", code="65535", message="etcd is down"))
    trace = request_trace(served(3, "DescribeCollection"))
    bench.enrich(trace)
    described = decoded(trace)["milvus.proto.milvus.MilvusService/DescribeCollection"]
    assert attributes(described)["error.type"] == "65535"
    assert "milvus.exists" not in attributes(described)


@pytest.mark.parametrize(("code", "name"), [(1, "CANCELLED"), (4, "DEADLINE_EXCEEDED"), (7, "PERMISSION_DENIED")])
def test_a_call_that_grpc_ended_with_an_error_failed_whatever_its_line_says(code: int, name: str) -> None:
    bench = Bench()
    bench.log(line("Search"))
    trace = trace_of(served(1, "Search", rpc__grpc__status_code=code))
    assert bench.enrichment.enricher.may_fail(trace)
    bench.enrich(trace)
    ((_, own),) = decoded(trace).items()
    assert attributes(own)["db.collection.name"] == "products"
    assert attributes(own)["error.type"] == name
    assert own.status.code == 2
    assert not bench.enrichment.enricher.may_fail(trace_of(served(1, "Search", rpc__grpc__status_code=0)))


def test_a_call_that_grpc_ended_with_an_error_failed_without_a_line_too() -> None:
    bench = Bench()
    trace = trace_of(served(1, "Search", rpc__grpc__status_code=1))
    bench.enrich(trace)
    ((_, own),) = decoded(trace).items()
    assert (own.status.code, attributes(own)["error.type"]) == (2, "CANCELLED")
    assert "milvus.enrichment" not in attributes(own)
    assert bench.telemetry.enriched_requests == {"unknown": 1}


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
