"""The real process: what it says, and how it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from queue import Queue
from threading import Thread
from time import monotonic, sleep
from typing import TYPE_CHECKING

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
DEADLINE = 120.0
"""Seconds; on a machine with much else to do a start alone takes 20."""


class Process:
    """`milvus-otel run`, and the lines that it writes."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-c", "from milvus_otel_processor.cli import main; main()", "run", *arguments]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.lines: Queue[str] = Queue()
        self.seen: list[str] = []
        self.reader = Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.put(line.rstrip("\n"))

    def line_with(self, words: str) -> str:
        while True:
            line = self.lines.get(timeout=DEADLINE)
            self.seen.append(line)
            if words in line:
                return line

    def end(self) -> int:
        status = self.process.wait(timeout=DEADLINE)
        self.reader.join(timeout=DEADLINE)
        while not self.lines.empty():
            self.seen.append(self.lines.get())
        return status


@pytest.fixture
def run() -> Iterator[type[Process]]:
    started: list[Process] = []

    class Tracked(Process):
        def __init__(self, *arguments: str) -> None:
            super().__init__(*arguments)
            started.append(self)

    yield Tracked
    for process in started:
        process.process.kill()
        process.end()
        assert process.process.stderr is not None
        process.process.stderr.close()


@pytest.fixture
def peer() -> Iterator[tuple[str, Queue[ExportTraceServiceRequest]]]:
    """Yield the address of an OTLP receiver, and the queue of what it received."""
    received: Queue[ExportTraceServiceRequest] = Queue()

    def export(request: ExportTraceServiceRequest, _: grpc.ServicerContext) -> ExportTraceServiceResponse:
        received.put(request)
        return ExportTraceServiceResponse()

    handler = grpc.unary_unary_rpc_method_handler(
        export,
        request_deserializer=ExportTraceServiceRequest.FromString,
        response_serializer=ExportTraceServiceResponse.SerializeToString,
    )
    service, method = EXPORT.strip("/").split("/")
    server = grpc.server(ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}", received
    server.stop(None).wait()


NO_METRICS = ("--set", "service.telemetry.metrics.level=none")
"""Another processor on this machine may have the built-in port."""


def keep_everything(endpoint: str) -> list[str]:
    """Arguments for a free port, a long wait, and a rule that keeps every trace."""
    values = {
        "receivers.otlp.protocols.grpc.endpoint": "127.0.0.1:0",
        "exporters.otlp.endpoint": endpoint,
        "processors.tail_sampling.decision_wait": "1h",
        "processors.tail_sampling.policies": "[{name: all, type: always_sample}]",
    }
    return [part for key, value in values.items() for part in ("--set", f"{key}={value}")] + list(NO_METRICS)


def received_at(line: str) -> str:
    return next(part for part in line.split() if part.startswith("receives=")).removeprefix("receives=")


def send_a_span(endpoint: str) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add()
    span.trace_id, span.span_id, span.name = b"t" * 16, b"s" * 8, "request"
    with grpc.insecure_channel(endpoint) as channel:
        call = channel.unary_unary(
            EXPORT, ExportTraceServiceRequest.SerializeToString, ExportTraceServiceResponse.FromString
        )
        call(request, timeout=DEADLINE, wait_for_ready=True)
    return request


def closed_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def test_the_start_line_says_where_it_listens_where_it_exports_and_by_which_rules(run: type[Process]) -> None:
    process = run("--set", "receivers.otlp.protocols.grpc.endpoint=127.0.0.1:0", *NO_METRICS)
    line = process.line_with("started")
    assert " info  started config=built-in receives=127.0.0.1:" in line
    assert " exports=127.0.0.1:4317 " in line
    dropping = "milvus-heartbeats,milvus-woodpecker,milvus-background-tasks,milvus-work-done,milvus-without-a-root"
    assert line.endswith(f" rules={dropping},milvus-work,errors,slow,one-in-ten")
    process.process.send_signal(signal.SIGINT)
    assert process.end() == 0


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_decides_and_sends_what_waits(
    run: type[Process], peer: tuple[str, Queue[ExportTraceServiceRequest]], ending: signal.Signals
) -> None:
    endpoint, received = peer
    process = run(*keep_everything(endpoint))
    send_a_span(received_at(process.line_with("started")))
    process.process.send_signal(ending)
    assert process.end() == 0  # and so in time: it ends with 1 when its time is over
    spans = [
        span for part in received.get(timeout=DEADLINE).resource_spans for s in part.scope_spans for span in s.spans
    ]
    assert [span.name for span in spans] == ["request"]
    assert any("stopping" in line and "waiting_spans=1" in line for line in process.seen)
    assert any(line.endswith(" stopped received_spans=1 exported_spans=1") for line in process.seen)


def test_spans_that_cannot_be_sent_in_time_are_counted_as_lost(run: type[Process]) -> None:
    process = run(*keep_everything(closed_port()))
    send_a_span(received_at(process.line_with("started")))
    process.process.send_signal(signal.SIGTERM)
    assert process.end() == 0  # and so in time: it ends with 1 when its time is over
    assert any(line.endswith(" stopped received_spans=1 exported_spans=0 lost_shutdown=1") for line in process.seen)


@pytest.mark.parametrize("echoes", [[signal.SIGTERM] * 3, [signal.SIGINT, signal.SIGTERM], [signal.SIGINT] * 2])
def test_a_signal_that_a_launcher_repeats_takes_nothing_from_the_time_there_is(
    run: type[Process], peer: tuple[str, Queue[ExportTraceServiceRequest]], echoes: list[signal.Signals]
) -> None:
    endpoint, received = peer
    process = run(*keep_everything(endpoint))
    send_a_span(received_at(process.line_with("started")))
    process.process.send_signal(signal.SIGTERM)
    for echo in echoes:
        process.process.send_signal(echo)
    assert process.end() == 0
    assert len(received.get(timeout=DEADLINE).resource_spans) == 1
    assert any(line.endswith(" stopped received_spans=1 exported_spans=1") for line in process.seen)


def test_a_second_ctrl_c_two_seconds_later_ends_it_at_once(run: type[Process]) -> None:
    process = run(*keep_everything(closed_port()))
    send_a_span(received_at(process.line_with("started")))
    process.process.send_signal(signal.SIGINT)
    process.line_with("stopping")
    sleep(2.1)
    process.process.send_signal(signal.SIGTERM)
    process.process.send_signal(signal.SIGINT)
    assert process.end() == 128 + signal.SIGINT
    assert "interrupted again" in process.seen[-1]


def test_the_time_for_stopping_is_a_setting(run: type[Process]) -> None:
    process = run(*keep_everything(closed_port()), "--set", "service.shutdown_timeout=1s")
    send_a_span(received_at(process.line_with("started")))
    begin = monotonic()
    process.process.send_signal(signal.SIGTERM)
    assert process.end() == 0
    assert monotonic() - begin < 7  # less than without the setting
    assert any(line.endswith(" stopped received_spans=1 exported_spans=0 lost_shutdown=1") for line in process.seen)


def test_it_stops_though_nobody_reads_what_it_logs(peer: tuple[str, Queue[ExportTraceServiceRequest]]) -> None:
    endpoint, received = peer
    arguments = [*keep_everything(endpoint), "--set", "service.telemetry.logs.level=debug"]
    command = [sys.executable, "-c", "from milvus_otel_processor.cli import main; main()", "run", *arguments]
    ours, its = os.pipe()
    with subprocess.Popen(command, stderr=its) as process:
        os.close(its)
        line = b""
        while b"started" not in line:
            line = os.read(ours, 1 << 16)
        # From here on the pipe is full: what is written to it blocks.
        filler = os.open(f"/proc/self/fd/{ours}", os.O_WRONLY | os.O_NONBLOCK)
        with suppress(BlockingIOError):
            while True:
                os.write(filler, bytes(4096))
        send_a_span(received_at(line.decode()))
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=DEADLINE) == 0
        os.close(filler)
        os.close(ours)
    assert len(received.get(timeout=DEADLINE).resource_spans) == 1


def test_an_exporter_that_cannot_be_reached_is_one_line_and_no_traceback(run: type[Process]) -> None:
    endpoint = closed_port()
    process = run(*keep_everything(endpoint), "--set", "processors.tail_sampling.decision_wait=10ms")
    send_a_span(received_at(process.line_with("started")))
    line = process.line_with("exporting failed")
    assert endpoint in line
    process.process.kill()
    process.end()
    assert not any("Traceback" in line for line in process.seen)


def test_a_port_that_is_taken_is_one_line_and_status_1(run: type[Process]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        endpoint = f"127.0.0.1:{taken.getsockname()[1]}"
        process = run("--set", f"receivers.otlp.protocols.grpc.endpoint={endpoint}")
        assert process.end() == 1
    (line,) = process.seen
    assert endpoint in line


def test_a_missing_configuration_is_one_line_and_status_1(run: type[Process]) -> None:
    process = run("--config", "nowhere.yaml")
    assert process.end() == 1
    assert process.seen == ["nowhere.yaml: cannot be read: No such file or directory"]


def test_warnings_are_logged_before_the_start(run: type[Process]) -> None:
    process = run(
        "--set",
        "receivers.otlp.protocols.grpc.endpoint=127.0.0.1:0",
        "--set",
        "service.pipelines.traces.processors=[]",
        *NO_METRICS,
    )
    assert 'rules="keep everything"' in process.line_with("started")
    assert [" warn  " in line and "is not used" in line for line in process.seen[:-1]] == [True, True]
    process.process.send_signal(signal.SIGTERM)
    assert process.end() == 0


def test_a_level_hides_what_is_less_severe(
    run: type[Process], peer: tuple[str, Queue[ExportTraceServiceRequest]]
) -> None:
    process = run(
        "--set", "service.telemetry.logs.level=error", "--set", f"receivers.otlp.protocols.grpc.endpoint={peer[0]}"
    )
    assert process.end() == 1
    (line,) = process.seen
    assert " error cannot start" in line
