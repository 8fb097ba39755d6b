from __future__ import annotations

import pytest
from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.sampling.hints.reads import Reads
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support.policies import evaluator, samples
from tests.support.spans import span, trace_of

MILVUS: dict[str, object] = {"service.name": "standalone", "NodeID": "1"}
SERVER, CLIENT = Span.SPAN_KIND_SERVER, Span.SPAN_KIND_CLIENT
PRODUCTS: dict[str, object] = {
    "db.system.name": "milvus",
    "db.operation.name": "search",
    "db.collection.name": "products",
    "db.namespace": "shop",
}
MODEL = span(1, 1, name="POST /ask", start_ms=0, end_ms=900)


def search(ms: float, number: int = 2, more: dict[str, object] | None = None) -> Span:
    """The operation of an instrumented client, below a slow request of the application."""
    return span(
        1,
        number,
        1,
        name="search products",
        kind=CLIENT,
        start_ms=100,
        end_ms=100 + ms,
        attributes=PRODUCTS | (more or {}),
    )


def sampled(*spans: Span, **settings: object) -> bool:
    return samples(trace_of(*spans), "milvus_latency", settings)


def test_the_requests_count_and_not_the_whole_trace() -> None:
    assert not sampled(MODEL, search(20), threshold_ms=200)
    assert sampled(MODEL, search(201), threshold_ms=200)
    assert sampled(MODEL, search(20), search(300, 3), threshold_ms=200)


def test_a_request_of_exactly_the_threshold_is_not_sampled() -> None:
    assert not sampled(MODEL, search(200), threshold_ms=200)
    assert not sampled(MODEL, search(200.9), threshold_ms=200)


def test_beyond_the_upper_bound_a_request_does_not_count() -> None:
    assert sampled(MODEL, search(300), threshold_ms=200, upper_threshold_ms=300)
    assert not sampled(MODEL, search(301), threshold_ms=200, upper_threshold_ms=300)
    assert sampled(MODEL, search(301), search(250, 3), threshold_ms=200, upper_threshold_ms=300)


def test_milvus_own_span_is_a_request_without_any_client() -> None:
    call = span(1, 1, name="milvus.proto.milvus.MilvusService/Search", kind=SERVER, start_ms=0, end_ms=250)
    trace = trace_of(call, span(1, 2, 1, name="Proxy-Search", start_ms=0, end_ms=249), resource=MILVUS)
    assert samples(trace, "milvus_latency", {"threshold_ms": 200, "operations": ["search"]})
    assert not samples(trace, "milvus_latency", {"threshold_ms": 200, "operations": ["query"]})
    assert not samples(trace, "milvus_latency", {"threshold_ms": 200, "collections": ["products"]})


@pytest.mark.parametrize("name", ["search", "Search", "SEARCH"])
def test_operations_are_known_by_any_spelling(name: str) -> None:
    assert sampled(MODEL, search(300), threshold_ms=200, operations=["query", name])
    assert not sampled(MODEL, search(300), threshold_ms=200, operations=["hybrid_search"])


def test_a_request_over_http_is_known_by_what_it_does() -> None:
    call = span(1, 1, name="/v2/vectordb/entities/hybrid_search", kind=1, start_ms=0, end_ms=250)
    trace = trace_of(call, resource=MILVUS)
    assert samples(trace, "milvus_latency", {"threshold_ms": 200, "operations": ["hybrid_search"]})
    assert not samples(trace, "milvus_latency", {"threshold_ms": 200, "operations": ["search"]})


def test_collections_and_databases_have_wildcards_and_the_slow_request_itself_has_to_match() -> None:
    assert sampled(MODEL, search(300), threshold_ms=200, collections=["prod*"], database="sh?p")
    assert not sampled(MODEL, search(300), threshold_ms=200, collections=["reviews"])
    assert not sampled(MODEL, search(300), threshold_ms=200, database="other")
    other: dict[str, object] = {"db.collection.name": "reviews"}
    assert not sampled(MODEL, search(20), search(300, 3, other), threshold_ms=200, collections=["products"])
    alias: dict[str, object] = {"milvus.collection.alias": "live"}
    assert sampled(MODEL, search(300, more=alias), threshold_ms=200, collections=["live"])


def test_a_span_that_ends_before_it_begins_took_no_time_and_an_empty_trace_has_no_request() -> None:
    assert not sampled(MODEL, search(-50))
    assert not samples(trace_of(), "milvus_latency", {"threshold_ms": 0})


def test_only_where_it_asks_for_collections_it_waits_for_enrichment() -> None:
    assert evaluator("milvus_latency", {"threshold_ms": 1, "operations": ["search"]}).reads is Reads.NOTHING
    assert evaluator("milvus_latency", {"threshold_ms": 1, "collections": ["a"]}).reads is Reads.FACTS


def test_the_reason_names_the_longest_request_that_counts() -> None:
    trace = trace_of(MODEL, search(20), search(300, 3))
    rule = evaluator("milvus_latency", {"threshold_ms": 200, "upper_threshold_ms": 250})
    assert rule.explain(trace).decision is Decision.NOT_SAMPLED
    assert rule.explain(trace).reason == "the request search on `products` took 300 ms, above 200 ms and above 250 ms"
    assert evaluator("milvus_latency", {"threshold_ms": 1}).explain(trace_of(MODEL)).reason == (
        "no span is of a Milvus request"
    )
