"""Each real part starts, does its one thing, and stops: what every other test takes for granted."""

import threading
import time
from pathlib import Path

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.peers.cache import built
from tests.peers.collector import collector, validate
from tests.peers.jaeger import attributes_of, jaeger
from tests.peers.missing import missing
from tests.peers.otlp_sink import METHOD, otlp_sink
from tests.peers.process import answers, free_port
from tests.peers.waiting import wait_until

# A test that comes first may have to build its part.
pytestmark = pytest.mark.timeout(1200)

FORWARD = """
receivers: {{otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:{port}"}}}}}}}}
exporters: {{otlp: {{endpoint: "{target}", tls: {{insecure: true}}}}}}
service: {{pipelines: {{traces: {{receivers: [otlp], exporters: [otlp]}}}}}}
"""

TRACE_ID = bytes(range(16))


def one_span(trace_id: bytes = TRACE_ID) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    resource_spans.resource.attributes.add(key="service.name").value.string_value = "shop"
    span = resource_spans.scope_spans.add().spans.add()
    span.trace_id, span.span_id, span.name = trace_id, bytes(range(1, 9)), "checkout"
    now = time.time_ns()  # Jaeger is asked for the last hour
    span.start_time_unix_nano, span.end_time_unix_nano = now - 1_000_000, now
    span.attributes.add(key="rows").value.int_value = 3
    return request


def export(endpoint: str, request: ExportTraceServiceRequest, timeout: float = 10) -> None:
    with grpc.insecure_channel(endpoint) as channel:
        call = channel.unary_unary(
            METHOD, ExportTraceServiceRequest.SerializeToString, ExportTraceServiceResponse.FromString
        )
        call(request, timeout=timeout, wait_for_ready=True, metadata=[("authorization", "Bearer t")])


def test_the_collector_forwards_a_span_to_the_sink(tmp_path: Path):
    port = free_port()
    with otlp_sink() as sink, collector(FORWARD.format(port=port, target=sink.endpoint), tmp_path):
        export(f"127.0.0.1:{port}", one_span())
        sink.wait_for(lambda sink: TRACE_ID.hex() in sink.trace_ids())
        (received,) = sink.received()
    assert [(resource.attributes[0].value.string_value, span.name) for resource, _, span in received.spans()] == [
        ("shop", "checkout")
    ]


def test_the_collector_names_a_component_that_it_does_not_have(tmp_path: Path):
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(FORWARD.format(port=free_port(), target="127.0.0.1:1"), encoding="utf-8")
    bad.write_text(good.read_text(encoding="utf-8").replace("otlp:", "kafka:", 1), encoding="utf-8")
    assert validate(good).accepted, validate(good).output
    assert not validate(bad).accepted
    assert "kafka" in validate(bad).output


def test_a_collector_that_cannot_start_fails_with_its_own_words(tmp_path: Path):
    configuration = FORWARD.format(port=free_port(), target="127.0.0.1:1").replace("otlp:", "kafka:", 1)
    with pytest.raises(RuntimeError, match="kafka"), collector(configuration, tmp_path):
        pass


def test_jaeger_stores_a_span_and_finds_it_again(tmp_path: Path):
    with jaeger(tmp_path) as running:
        export(running.endpoint, one_span())
        found = wait_until(lambda: running.query.traces("shop"), "the trace in Jaeger")
        assert running.query.services() == ["shop"]
        assert running.query.traces("shop", operation="checkout", attributes={"rows": 3})
        assert running.query.traces("shop", attributes={"rows": 4}) == {}
        assert running.query.traces("shop", operation="nothing of that name") == {}
    ((trace_id, (span,)),) = found.items()
    assert trace_id == TRACE_ID.hex()
    assert (span["service"], span["name"], attributes_of(span)["rows"]) == ("shop", "checkout", 3)


def test_a_stopped_part_is_gone(tmp_path: Path):
    with jaeger(tmp_path) as running:
        assert answers(running.query.url + "/api/v3/services")
    assert running.part.process.poll() is not None
    assert not answers(running.query.url + "/api/v3/services")


def test_the_sink_keeps_the_bytes_and_metadata_of_a_request():
    request = one_span()
    with otlp_sink() as sink:
        export(sink.endpoint, request)
        sink.wait_for(lambda sink: sink.calls() == 1)
        (received,) = sink.received()
    assert received.raw == request.SerializeToString()
    assert received.metadata["authorization"] == "Bearer t"


def test_the_sink_fails_as_often_as_told_then_accepts():
    with otlp_sink() as sink:
        sink.fail_with(grpc.StatusCode.UNAVAILABLE, calls=2)
        for _ in range(2):
            with pytest.raises(grpc.RpcError) as refused:
                export(sink.endpoint, one_span())
            assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        export(sink.endpoint, one_span())
        assert (sink.calls(), len(sink.received())) == (3, 1)


def test_the_sink_holds_answers_back_and_recovers():
    with otlp_sink() as sink:
        sink.delay(60)
        with pytest.raises(grpc.RpcError) as late:
            export(sink.endpoint, one_span(), timeout=0.3)
        assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        sink.recover()
        export(sink.endpoint, one_span())


def test_waiting_for_what_never_comes_says_what_was_there():
    with otlp_sink() as sink:
        export(sink.endpoint, one_span())
        with pytest.raises(TimeoutError, match="1 requests accepted of 1 calls, 1 spans"):
            sink.wait_for(lambda sink: len(sink.spans()) > 1, deadline=0.05)


def test_two_test_runs_at_once_build_a_part_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MILVUS_OTEL_CACHE", str(tmp_path))
    builds: list[Path] = []
    both_ask = threading.Barrier(2)

    def build(folder: Path) -> None:
        builds.append(folder)
        (folder / "part").write_text("made", encoding="utf-8")

    def ask() -> None:
        both_ask.wait(10)
        assert (built("part", "v1", "a moment", build) / "part").read_text(encoding="utf-8") == "made"

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(builds) == 1


def test_a_build_that_fails_leaves_nothing_that_looks_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MILVUS_OTEL_CACHE", str(tmp_path))

    def build(folder: Path) -> None:
        (folder / "half").touch()
        raise RuntimeError("no network")

    with pytest.raises(RuntimeError, match="no network"):
        built("part", "v1", "a moment", build)
    assert [path.name for path in tmp_path.iterdir()] == ["part-v1.lock"]


@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_a_missing_part_skips_on_a_desk_and_fails_in_ci(monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type):
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="no Go here"):
        missing("no Go here")
