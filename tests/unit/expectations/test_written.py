"""Traces in a few lines become the spans that they say."""

from __future__ import annotations

from typing import Any

from milvus_otel_processor.expectations.model import SpanSettings
from milvus_otel_processor.expectations.written import START_NS, message, unlucky_trace_id
from milvus_otel_processor.sampling.policies.probabilistic import randomness
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.harness import sampling

MS = 1_000_000
ID = bytes(15) + b"\x01"


def written(*spans: dict[str, Any]) -> list[tuple[dict[str, Any], Any]]:
    models = [SpanSettings.model_validate(span) for span in spans]
    request = ExportTraceServiceRequest.FromString(message(models, ID, "here").request)
    return [
        ({pair.key: pair.value for pair in group.resource.attributes}, span)
        for group in request.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


def test_spans_below_begin_with_their_parent_and_have_its_service() -> None:
    below = {"name": "Search", "start": "2ms", "duration": "10ms", "spans": [{"name": "core", "service": "segcore"}]}
    found = {
        span.name: (resource, span)
        for resource, span in written({"name": "search", "service": "shop", "spans": [below]})
    }
    search, core = found["Search"][1], found["core"][1]
    assert search.parent_span_id == found["search"][1].span_id
    assert core.parent_span_id == search.span_id
    assert search.start_time_unix_nano == core.start_time_unix_nano == START_NS + 2 * MS
    assert search.end_time_unix_nano - search.start_time_unix_nano == 10 * MS
    services = [resource["service.name"].string_value for resource, _ in found.values()]
    assert sorted(services) == ["segcore", "shop", "shop"]


def test_attributes_have_the_types_of_yaml() -> None:
    attributes = {"s": "a", "i": 5, "f": 0.5, "b": True, "l": [1, "x"], "m": {"k": None}}
    ((_, span),) = written(
        {"name": "a", "attributes": attributes, "events": [{"name": "exception", "attributes": {"n": 1}}]}
    )
    kinds = {pair.key: pair.value.WhichOneof("value") for pair in span.attributes}
    assert kinds == {
        "s": "string_value",
        "i": "int_value",
        "f": "double_value",
        "b": "bool_value",
        "l": "array_value",
        "m": "kvlist_value",
    }
    assert span.events[0].attributes[0].value.int_value == 1


def test_status_kind_flags_resource_and_a_parent_that_never_comes() -> None:
    ((resource, span),) = written(
        {
            "name": "a",
            "status": "ERROR",
            "kind": "server",
            "sampled": True,
            "trace_state": "a=1",
            "resource": {"NodeID": "1"},
            "without_parent": True,
        }
    )
    assert (span.status.code, span.kind, span.flags, span.trace_state) == (2, 2, 1, "a=1")
    assert resource["NodeID"].string_value == "1"
    assert len(span.parent_span_id) == 8


def test_the_id_without_one_is_sampled_last_for_every_salt() -> None:
    share: dict[str, object] = {"type": "probabilistic", "probabilistic": {"sampling_percentage": 10, "hash_salt": "a"}}
    inside = {"name": "x", "type": "and", "and": {"and_sub_policy": [share | {"probabilistic": {"hash_salt": "b"}}]}}
    rules = sampling({"name": "y"} | share, inside)
    for salt in ("a", "b"):
        assert randomness(unlucky_trace_id(rules), salt) < 2**56 * 0.05
    assert len(unlucky_trace_id(sampling())) == 16
