from __future__ import annotations

import json
from typing import Any

import pytest
from milvus_otel_processor.replay.otlp_json import FormatError, from_json
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

TRACE_ID, SPAN_ID = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"


def document(**fields: Any) -> bytes:
    span = {"traceId": TRACE_ID, "spanId": SPAN_ID, "name": "a", **fields}
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()


def converted(**fields: Any) -> Span:
    message = ExportTraceServiceRequest.FromString(from_json(document(**fields)).request)
    return message.resource_spans[0].scope_spans[0].spans[0]


def test_ids_are_hexadecimal() -> None:
    span = converted(parentSpanId="EEE19B7EC3C1B173", links=[{"traceId": TRACE_ID, "spanId": SPAN_ID}])
    assert span.trace_id.hex() == span.links[0].trace_id.hex() == TRACE_ID
    assert span.span_id.hex() == span.links[0].span_id.hex() == SPAN_ID
    assert span.parent_span_id.hex() == "eee19b7ec3c1b173"


def test_an_empty_parent_is_none() -> None:
    assert converted(parentSpanId="").parent_span_id == b""


def test_enums_are_numbers_and_times_are_texts() -> None:
    span = converted(kind=3, status={"code": 2, "message": "b"}, startTimeUnixNano="1544712660000000001", flags=257)
    assert span.kind == Span.SPAN_KIND_CLIENT
    assert span.status == Status(code=Status.STATUS_CODE_ERROR, message="b")
    assert span.start_time_unix_nano == 1544712660000000001
    assert span.flags == 257


def test_attributes_of_every_type_are_kept() -> None:
    values: list[dict[str, Any]] = [
        {"stringValue": "中"},
        {"boolValue": False},
        {"intValue": "-9007199254740993"},
        {"doubleValue": 0.5},
        {"bytesValue": "AAE="},
        {"arrayValue": {"values": [{"intValue": "1"}, {}]}},
        {"kvlistValue": {"values": [{"key": "traceId", "value": {"stringValue": "not an id"}}]}},
        {},
    ]
    span = converted(attributes=[{"key": f"k{index}", "value": value} for index, value in enumerate(values)])
    text, boolean, integer, double, raw, array, mapping, empty = (pair.value for pair in span.attributes)
    assert text.string_value == "中"
    assert boolean.WhichOneof("value") == "bool_value"
    assert integer.int_value == -9007199254740993
    assert double.double_value == 0.5
    assert raw.bytes_value == b"\x00\x01"
    assert [value.WhichOneof("value") for value in array.array_value.values] == ["int_value", None]
    assert mapping.kvlist_value.values[0].value.string_value == "not an id"
    assert empty.WhichOneof("value") is None


def test_a_field_of_a_newer_otlp_is_passed_over() -> None:
    assert converted(aFieldOfTomorrow=1).name == "a"


def test_a_document_without_spans_is_an_empty_request() -> None:
    assert from_json(b"{}").request == b""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"[]", "holds list, expected only resourceSpans"),
        (b'{"resourceMetrics": []}', "holds metrics"),
        (b'{"resourceSpans": 3}', "not iterable"),
        (b'{"resourceSpans": [3]}', "keys"),
        (document(traceId="xyz"), "hexadecimal"),
        (document(traceId=3), "str"),
        (document(startTimeUnixNano="soon"), "soon"),
        (document(name="\ud800"), "surrogate"),
        (b'{"resourceSpans": [', "not JSON"),
        (b"\xff", "not JSON"),
    ],
)
def test_what_is_not_otlp_json_is_refused(text: bytes, said: str) -> None:
    with pytest.raises(FormatError, match=said):
        from_json(text)
