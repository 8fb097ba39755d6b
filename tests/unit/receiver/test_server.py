"""The gRPC server in front: what it takes, what it refuses, and what it says."""

import gzip
import socket
import threading
from collections.abc import Iterator

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from milvus_otel_processor.enrichment.settings import MilvusSettings
from milvus_otel_processor.receiver.exports import FailedRequestError, RefusedForNowError
from milvus_otel_processor.receiver.server import PortError, Receiver
from milvus_otel_processor.receiver.services import TRACE_SERVICE, traces
from milvus_otel_processor.service.making import StartError
from milvus_otel_processor.service.service import Service
from milvus_otel_processor.telemetry.counters import Refused, Telemetry
from milvus_otel_processor.telemetry.faults import FaultLog

from tests.peers.otlp_sink import OtlpSink, otlp_sink
from tests.support.door import Door
from tests.support.harness import Harness, assert_accounted, sampling
from tests.support.processor import (
    CALL_SECONDS,
    Configuration,
    Running,
    exporter_settings,
    receiver_settings,
    running_processor,
)
from tests.support.spans import encoded, span
from tests.support.wire import delimited

MIB = 1024 * 1024


@pytest.fixture
def sink() -> Iterator[OtlpSink]:
    with otlp_sink() as made:
        yield made


@pytest.fixture
def running(sink: OtlpSink) -> Iterator[Running]:
    configuration = Configuration(
        receiver_settings(max_recv_msg_size_mib=1), exporter_settings(sink.endpoint), sampling(decision_wait=0.01)
    )
    with running_processor(configuration) as made:
        yield made


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_compressed_and_plain_requests_are_taken(
    running: Running, sink: OtlpSink, compression: grpc.Compression
) -> None:
    answer = running.send(encoded(*[span(number) for number in range(1, 101)]), compression)
    assert not answer.HasField("partial_success")
    running.stop()
    assert len(sink.spans()) == 100


def test_an_empty_request_is_taken(running: Running) -> None:
    assert not running.send(b"").HasField("partial_success")


def test_a_malformed_request_is_an_invalid_argument_and_others_are_undisturbed(
    running: Running, sink: OtlpSink, caplog: pytest.LogCaptureFixture
) -> None:
    running.send(encoded(span(1)))
    for malformed in (b"\xff", encoded(span(2))[:-1]):
        with pytest.raises(grpc.RpcError) as caught:
            running.send(malformed)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "not a valid ExportTraceServiceRequest" in caught.value.details()
    running.send(encoded(span(3)))
    running.stop()
    assert sorted(one.trace_id[-1] for one in sink.spans()) == [1, 3]
    after = running.service.telemetry.snapshot()
    assert after.refused_requests == {"malformed_request": 2}
    assert_accounted(after)
    # Whoever sends them cannot flood the log.
    assert caplog.text.count("refused a request: reason=malformed_request peer=ipv4:127.0.0.1") == 1


def test_a_fault_of_the_program_costs_one_request_and_is_counted(
    running: Running, sink: OtlpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        # What pytest keeps of a log line with a traceback would keep gRPC's own objects beyond the life of their loop.
        broken.setattr(FaultLog, "tell", lambda *_: None)
        broken.setattr(running.service._pipeline, "_store", None)
        with pytest.raises(grpc.RpcError) as caught:
            running.send(encoded(span(1)))
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    running.send(encoded(span(2)))
    running.stop()
    assert [one.trace_id[-1] for one in sink.spans()] == [2]
    after = running.service.telemetry.snapshot()
    assert after.refused_requests == {"failed": 1}
    assert_accounted(after)


def test_a_fault_of_the_program_is_told_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    take = traces(lambda _: 1 // 0)
    with pytest.raises(FailedRequestError):
        take(b"request")
    assert "taking a request in failed, it is lost: bytes=7" in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_what_cannot_be_taken_now_is_no_fault_of_the_program(caplog: pytest.LogCaptureFixture) -> None:
    def refuse(_: bytes) -> int:
        raise RefusedForNowError(Refused.STORAGE_FAILED, "the disk is full")

    with pytest.raises(RefusedForNowError):
        traces(refuse)(b"request")
    assert not caplog.text


def test_a_request_above_the_limit_is_refused_as_grpc_does_and_others_are_not(running: Running, sink: OtlpSink) -> None:
    fits = span(1, attributes={"text": "x" * (MIB - 200)})
    with pytest.raises(grpc.RpcError) as caught:
        running.send(encoded(span(2, attributes={"text": "x" * MIB})))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    running.send(encoded(fits))
    running.stop()
    assert [one.trace_id[-1] for one in sink.spans()] == [1]


def test_a_small_request_that_inflates_above_the_limit_is_refused(running: Running) -> None:
    bomb = encoded(span(1, attributes={"text": "x" * 20 * MIB}))
    assert len(gzip.compress(bomb)) < MIB
    with pytest.raises(grpc.RpcError) as caught:
        running.send(bomb, grpc.Compression.Gzip)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_spans_with_bad_trace_ids_are_told_as_partial_success(running: Running, sink: OtlpSink) -> None:
    short, none = span(7), span(8)
    short.trace_id = b"short"
    none.ClearField("trace_id")
    answer = running.send(encoded(short, span(1), none))
    assert answer.partial_success.rejected_spans == 2
    assert "16 bytes" in answer.partial_success.error_message
    running.stop()
    assert [one.trace_id[-1] for one in sink.spans()] == [1]
    assert running.service.telemetry.snapshot().refused_spans == {"invalid_trace_id": 2}


def test_a_span_that_is_not_protobuf_has_no_trace_id(running: Running) -> None:
    answer = running.send(delimited(1, delimited(2, delimited(2, b"\xff" * 20))))
    assert answer.partial_success.rejected_spans == 1


def test_another_method_is_unimplemented(running: Running) -> None:
    call = running.channel.unary_unary("/opentelemetry.proto.collector.metrics.v1.MetricsService/Export")
    with pytest.raises(grpc.RpcError) as caught:
        call(b"", timeout=CALL_SECONDS)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("service", ["", TRACE_SERVICE])
def test_the_health_service_says_that_it_serves(running: Running, service: str) -> None:
    health = health_pb2_grpc.HealthStub(running.channel)
    answer = health.Check(health_pb2.HealthCheckRequest(service=service), timeout=CALL_SECONDS)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def alone(endpoint: str = "127.0.0.1:0") -> Receiver:
    services = {TRACE_SERVICE: traces(Harness().pipeline.ingest)}
    return Receiver(receiver_settings(endpoint), services, Telemetry(), admission=Door())


def test_at_the_end_the_health_service_says_that_it_serves_no_more() -> None:
    receiver = alone()
    with grpc.insecure_channel(receiver.start()) as channel:
        statuses = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=CALL_SECONDS)
        assert next(statuses).status == health_pb2.HealthCheckResponse.SERVING
        receiver.stop(0.5)
        assert next(statuses).status == health_pb2.HealthCheckResponse.NOT_SERVING


class TestWhereItListens:
    def test_a_port_of_its_own_choice_is_told(self, running: Running) -> None:
        host, _, port = running.service.endpoint.rpartition(":")
        assert host == "127.0.0.1"
        assert int(port) > 0

    def test_a_port_that_is_taken_is_one_clear_error(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            endpoint = f"127.0.0.1:{taken.getsockname()[1]}"
            service = Service(
                Configuration(
                    receiver_settings(endpoint), exporter_settings("127.0.0.1:1"), sampling(), MilvusSettings()
                )
            )
            with pytest.raises(StartError, match="cannot listen on") as caught:
                service.start()
        assert endpoint in str(caught.value)
        assert str(caught.value).startswith("receivers.otlp.protocols.grpc.endpoint:")
        assert "\n" not in str(caught.value)
        assert {thread.name for thread in threading.enumerate()}.isdisjoint({"catalogue", "decisions", "exporter-0"})

    def test_a_second_processor_on_the_same_port_does_not_start(self, running: Running) -> None:
        other = Configuration(receiver_settings(running.service.endpoint), exporter_settings("127.0.0.1:1"), sampling())
        with pytest.raises(StartError, match="the port is taken"):
            Service(other).start()

    def test_an_address_of_another_machine_is_one_clear_error(self) -> None:
        with pytest.raises(PortError, match=r"192\.0\.2\.1:4317"):
            alone("192.0.2.1:4317").start()
