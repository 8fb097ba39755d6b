"""The sink takes OTLP over gRPC, shows what came, and passes it on."""

from __future__ import annotations

import grpc
import pytest
from milvus_otel_processor.demo import sink as sink_module
from milvus_otel_processor.demo.errors import DemoError
from milvus_otel_processor.demo.sink import EXPORT_METHOD, Forwarded, Sink
from milvus_otel_processor.demo.wheel import free_ports
from milvus_otel_processor.replay.decoded import decode
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status


def request(*spans: Span) -> bytes:
    resource = Resource(attributes=[KeyValue(key="service.name", value=AnyValue(string_value="shop"))])
    of_resource = ResourceSpans(resource=resource, scope_spans=[ScopeSpans(spans=spans)])
    return ExportTraceServiceRequest(resource_spans=[of_resource]).SerializeToString()


def span(number: int, **fields: object) -> Span:
    return Span(trace_id=number.to_bytes(16), span_id=number.to_bytes(8), **fields)  # type: ignore[arg-type]


def send(endpoint: str, message: bytes) -> None:
    with grpc.insecure_channel(endpoint) as channel:
        channel.unary_unary(EXPORT_METHOD)(message, timeout=10)


def test_a_span_is_shown_with_what_it_says_of_itself() -> None:
    names = AnyValue(array_value=ArrayValue(values=[AnyValue(int_value=1), AnyValue()]))
    full = span(
        7,
        parent_span_id=b"\x01" * 8,
        name="search",
        kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=5,
        end_time_unix_nano=9,
        attributes=[KeyValue(key="names", value=names)],
        status=Status(code=Status.STATUS_CODE_ERROR),
    )
    [shown] = decode(request(full))
    assert (shown.trace_id, shown.span_id, shown.parent_id) == (f"{7:032x}", f"{7:016x}", "01" * 8)
    assert (shown.name, shown.service, shown.kind, shown.start, shown.end) == ("search", "shop", "client", 5, 9)
    assert shown.is_error
    assert shown.attributes == {"names": [1, None]}


def test_texts_that_are_not_utf_8_and_kinds_that_nobody_knows_are_shown_as_well_as_can_be() -> None:
    full = span(
        7,
        name="search",
        kind=Span.SPAN_KIND_SERVER,
        attributes=[KeyValue(key="who", value=AnyValue(string_value="me"))],
    )
    broken = (
        request(full)
        .replace(b"search", b"sear\xffh")
        .replace(b"\x02me", b"\x02m\xff")
        .replace(b"\x30\x02", b"\x30\x09")
    )
    [shown] = decode(broken)
    assert (shown.name, shown.kind, shown.attributes) == ("sear\ufffdh", "9", {"who": "m\ufffd"})


def test_an_empty_request_holds_nothing() -> None:
    assert list(decode(b"")) == []


def test_what_comes_is_kept_by_trace_and_forwarded_as_it_came() -> None:
    with Sink() as peer, Sink(peer.endpoint) as sink:
        send(sink.endpoint, request(span(1, name="late", start_time_unix_nano=2), span(2, name="other")))
        send(sink.endpoint, request(span(1, name="early", start_time_unix_nano=1)))
        assert [[each.name for each in trace] for trace in sink.traces()] == [["early", "late"], ["other"]]
        assert peer.traces() == sink.traces()
        assert sink.not_forwarded == 0
        assert sink.forwarded == Forwarded(peer.endpoint, traces=2, spans=3)
        assert peer.forwarded is None


def test_a_peer_that_goes_away_is_counted_and_disturbs_nothing() -> None:
    with Sink() as peer, Sink(peer.endpoint) as sink:
        peer.__exit__(None, None, None)
        send(sink.endpoint, request(span(1)))
        assert len(sink.traces()) == 1
        assert sink.not_forwarded == 1
        assert sink.forwarded == Forwarded(peer.endpoint, traces=0, spans=0)


class Rejecting(Sink):
    """A peer that takes a request, but for two of its spans."""

    def _receive(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        del request, context
        partial = ExportTracePartialSuccess(rejected_spans=2)
        return ExportTraceServiceResponse(partial_success=partial).SerializeToString()


def test_spans_that_a_peer_says_it_has_rejected_were_not_sent_on() -> None:
    with Rejecting() as peer, Sink(peer.endpoint) as sink:
        send(sink.endpoint, request(span(1), span(2)))
        assert sink.forwarded == Forwarded(peer.endpoint, traces=0, spans=0)
        send(sink.endpoint, request(span(3), span(3), span(3)))
        assert sink.forwarded == Forwarded(peer.endpoint, traces=1, spans=1)


def test_an_export_where_nothing_answers_is_told_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sink_module, "_REACH_SECONDS", 0.2)
    port = free_ports(["nobody"])["nobody"]
    with pytest.raises(DemoError, match=f"--export 127.0.0.1:{port}: nothing answers there"), Sink(f"127.0.0.1:{port}"):
        pass


def test_only_the_latest_traces_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sink_module, "_MAX_TRACES", 2)
    with Sink() as sink:
        send(sink.endpoint, request(span(1), span(2), span(3)))
        assert [trace[0].trace_id for trace in sink.traces()] == [f"{2:032x}", f"{3:032x}"]
