"""Requests are recognised in every form that clients give them, and spans belong to their nearest one."""

from __future__ import annotations

from typing import Any

import pytest
from milvus_otel_processor.enrichment.requests import find_requests, method_of_name

from tests.support.enrichment import CLIENT, INTERNAL, SERVER, served, span, trace_of

PATH = "milvus.proto.milvus.MilvusService/Search"

# What the instrumentations of gRPC in each language write, and the attributes as their conventions of the time have them.
FORMS: dict[str, tuple[str, dict[str, Any]]] = {
    "java agent": (PATH, {"rpc__system": "grpc", "rpc__service": PATH[:-7], "rpc__method": "Search"}),
    "java, newer conventions": (
        PATH,
        {"rpc__system__name": "grpc", "rpc__method": PATH, "rpc__response__status_code": "OK"},
    ),
    "go otelgrpc": (PATH, {"rpc__system": "grpc", "rpc__service": PATH[:-7], "rpc__method": "Search"}),
    "go otelgrpc from 0.70": (
        PATH,
        {"rpc__system__name": "grpc", "rpc__method": PATH, "rpc__response__status_code": "OK"},
    ),
    "node": (f"grpc.{PATH}", {"rpc__system": "grpc", "rpc__service": PATH[:-7], "rpc__method": "Search"}),
    "python": (f"/{PATH}", {"rpc__system": "grpc", "rpc__service": PATH[:-7], "rpc__method": "Search"}),
    "a name of its own, service and method": ("search", {"rpc__service": PATH[:-7], "rpc__method": "Search"}),
    "a name of its own, the whole path": ("search", {"rpc__system__name": "grpc", "rpc__method": PATH}),
    "a name of its own, the path with a slash": ("search", {"rpc__method": f"/{PATH}"}),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", [CLIENT, SERVER])
def test_a_request_is_recognised_in_the_form_of(form: str, kind: Any) -> None:
    name, attributes = FORMS[form]
    (request,) = find_requests(trace_of(span(1, name, kind=kind, **attributes)))
    assert request.method == "Search"
    assert (request.client, request.server) == ((0, None) if kind == CLIENT else (None, 0))


@pytest.mark.parametrize("form", FORMS)
def test_the_callers_span_and_milvus_own_are_one_request(form: str) -> None:
    name, attributes = FORMS[form]
    spans = (span(1, name, kind=CLIENT, **attributes), served(2, "Search", parent=1), span(3, "SearchTask", parent=2))
    for order in ((0, 1, 2), (2, 1, 0), (1, 0, 2)):
        (request,) = find_requests(trace_of(*(spans[place] for place in order)))
        assert (request.client, request.server) == (order.index(0), order.index(1))
        assert sorted(request.spans) == [0, 1, 2]


@pytest.mark.parametrize(
    "name",
    [
        b"",
        b"/",
        b"Search",
        b"milvus.proto.rootcoord.RootCoord/DescribeCollection",
        b"milvus.proto.milvus.MilvusServiceX/Search",
        b"xmilvus.proto.milvus.MilvusService/Search",
        b"milvus.proto.milvus.MilvusService/",
        b"milvus.proto.milvus.MilvusService",
        b"milvus.proto.milvus.ClientTelemetryService/ClientHeartbeat",
        b"milvus.proto.milvus.MilvusService/Search/more",
    ],
)
def test_other_names_are_no_requests(name: bytes) -> None:
    assert method_of_name(name) is None


def test_a_span_whose_event_or_attribute_only_mentions_the_service_is_no_request() -> None:
    note = span(1, "note", kind=CLIENT, text=PATH, events=[PATH])
    assert find_requests(trace_of(note)) == []


def test_what_milvus_asks_its_own_parts_is_no_request() -> None:
    inner = span(
        1, "milvus.proto.rootcoord.RootCoord/AllocTimestamp", kind=SERVER, rpc__service=PATH[:-7], rpc__method="x"
    )
    assert find_requests(trace_of(inner)) == []


@pytest.mark.parametrize("key", ["db__system", "db__system__name"])
@pytest.mark.parametrize("kind", [CLIENT, INTERNAL])
def test_the_span_of_an_instrumented_client_is_an_operation(key: str, kind: Any) -> None:
    (request,) = find_requests(
        trace_of(
            span(
                1,
                "search products",
                kind=kind,
                **{key: "milvus"},  # type: ignore[arg-type]
            )
        )
    )
    assert (request.method, request.client) == (None, 0)


def test_the_span_of_another_database_is_none() -> None:
    assert (
        find_requests(trace_of(span(1, "SELECT milvus", kind=CLIENT, db__system__name="postgresql", table="milvus")))
        == []
    )


def test_each_span_belongs_to_its_nearest_request() -> None:
    trace = trace_of(
        span(1, "app"),
        span(2, "search products", parent=1, kind=CLIENT, db__system__name="milvus"),
        span(3, "/milvus.proto.milvus.MilvusService/DescribeCollection", parent=2, kind=CLIENT),
        served(4, "DescribeCollection", parent=3),
        span(5, f"/{PATH}", parent=2, kind=CLIENT),
        served(6, "Search", parent=5),
        span(7, "SearchTask", parent=6),
        span(8, "app work", parent=1),
    )
    operation, lookup, search = find_requests(trace)
    assert (operation.spans, sorted(lookup.spans), sorted(search.spans)) == ([1], [2, 3], [4, 5, 6])
    assert (operation.parent, lookup.parent, search.parent) == (None, operation, operation)


def test_a_repeated_call_is_a_request_of_its_own() -> None:
    trace = trace_of(
        span(1, f"/{PATH}", kind=CLIENT),
        served(2, "Search", parent=1),
        served(3, "Search", parent=1, start=9),
    )
    first, second = find_requests(trace)
    assert (first.client, first.server) == (0, 1)
    assert (second.client, second.server) == (None, 2)


def test_parents_in_a_circle_end_the_way_up() -> None:
    circles = (span(1, "app a", parent=2), span(2, "app b", parent=1), span(3, "app c", parent=3))
    trace = trace_of(*circles, served(4, "Search", parent=5), span(5, "d", parent=4))
    (request,) = find_requests(trace)
    assert sorted(request.spans) == [3, 4]


def test_requests_in_a_circle_are_found() -> None:
    trace = trace_of(served(1, "Search", parent=2), served(2, "Query", parent=1))
    assert {request.method for request in find_requests(trace)} == {"Search", "Query"}
