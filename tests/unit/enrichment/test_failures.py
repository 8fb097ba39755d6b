"""Which requests failed, and what their spans say of it."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.support.enrichment import (
    CLIENT,
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
