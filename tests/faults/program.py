"""The processor as a program that is killed and started again, and a sender that keeps to what the Collector does."""

import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import grpc
from google.rpc.error_details_pb2 import RetryInfo
from grpc_status import rpc_status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.peers.otlp_sink import METHOD
from tests.peers.process import free_port
from tests.peers.waiting import wait_until

_RETRIED = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.DATA_LOSS,
}
CALL_SECONDS = 20.0


class Program:
    """`milvus-otel run` that keeps every trace, with what is on disk in `storage`; started again and again on one port."""

    def __init__(self, folder: Path, peer: str, *, storage: bool = True, **settings: str) -> None:
        self.endpoint = f"127.0.0.1:{free_port()}"
        self.log = folder / "processor.log"
        self.storage = folder / "storage"
        values = {
            "receivers.otlp.protocols.grpc.endpoint": self.endpoint,
            "exporters.otlp.endpoint": peer,
            "exporters.otlp.retry_on_failure.initial_interval": "100ms",
            "exporters.otlp.retry_on_failure.max_interval": "500ms",
            "processors.tail_sampling.decision_wait": "1s",
            "processors.tail_sampling.policies": "[{name: all, type: always_sample}]",
            "service.pipelines.traces.processors": "[tail_sampling]",
            "service.telemetry.metrics.level": "none",
        }
        if storage:
            values |= {
                "extensions.file_storage.directory": str(self.storage),
                "service.extensions": "[file_storage]",
                "processors.tail_sampling.tail_storage": "file_storage",
            }
        values |= {key.replace("__", "."): value for key, value in settings.items()}
        self._arguments = [part for key, value in values.items() for part in ("--set", f"{key}={value}")]
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Leave no process behind, whatever happened, and say what it said if that was not well."""
        if kind is not None:
            print(f"processor lives: {self.lives()}; its log ends with\n{self.output()[-5000:]}")  # noqa: T201
        if self.lives():
            self.signal(signal.SIGCONT)
            self.kill()

    def start(self, before: Callable[[], None] | None = None) -> None:
        """Start it; `before` is called in the child first."""
        code = "from milvus_otel_processor.cli import main; main()"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", code, "run", *self._arguments],
                stderr=log,
                preexec_fn=before,  # noqa: PLW1509 - it only writes to a file
            )

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.wait()

    def lives(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def resident_mib(self) -> int:
        """The memory that it takes now."""
        assert self.process is not None
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * resource.getpagesize() >> 20

    def signal(self, which: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(which)

    def wait(self, timeout: float = 60.0) -> int:
        assert self.process is not None
        return self.process.wait(timeout)

    def output(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")


class Sender:
    """Sends requests of traces with one span each, as fast as they are taken, again where that is asked for.

    `acknowledged` are the numbers of the spans in requests that were answered; only a number that is there is owed.
    """

    def __init__(self, endpoint: str, *, spans: int = 50, pause: float = 0.0, text: int = 100, first: int = 1) -> None:
        self._endpoint = endpoint
        self._spans = spans
        self._pause = pause
        self._text = "x" * text
        self._next = first
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.acknowledged: set[int] = set()
        self.refusals: dict[str, int] = {}
        self.durations: list[float] = []
        self.dropped = 0
        """Spans for which the answer was one that the Collector does not try again after."""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join(60)

    def _run(self) -> None:
        # Without a limit of its own for the pauses between tries to connect, a killed processor would be waited for too long.
        options = [("grpc.max_reconnect_backoff_ms", 200), ("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(self._endpoint, options) as channel:
            export = channel.unary_unary(METHOD)
            while not self._ended.is_set():
                numbers = range(self._next, self._next + self._spans)
                self._next += self._spans
                self._send(export, numbers)
                self._ended.wait(self._pause)

    def _send(self, export: grpc.UnaryUnaryMultiCallable, numbers: range) -> None:
        request = self._request(numbers)
        while not self._ended.is_set():
            began = time.monotonic()
            try:
                export(request, timeout=CALL_SECONDS)
            except grpc.RpcError as error:
                name = error.code().name
                self.refusals[name] = self.refusals.get(name, 0) + 1
                if error.code() not in _RETRIED and not _says_when(error):
                    self.dropped += len(numbers)
                    return
                self._ended.wait(0.05)
            else:
                self.durations.append(time.monotonic() - began)
                self.acknowledged.update(numbers)
                return

    def _request(self, numbers: range) -> bytes:
        request = ExportTraceServiceRequest()
        spans = request.resource_spans.add().scope_spans.add().spans
        now = time.time_ns()
        for number in numbers:
            span = spans.add(trace_id=number.to_bytes(16, "big"), span_id=number.to_bytes(8, "big"), name="request")
            span.start_time_unix_nano, span.end_time_unix_nano = now, now + 1000
            span.attributes.add(key="text").value.string_value = self._text
        return bytes(request.SerializeToString())


def _says_when(error: grpc.RpcError) -> bool:
    status = rpc_status.from_call(error)
    return status is not None and any(detail.Is(RetryInfo.DESCRIPTOR) for detail in status.details)


def wait_for_port(endpoint: str, deadline: float = 60.0) -> None:
    """Return when requests are taken at the endpoint."""
    with grpc.insecure_channel(endpoint, [("grpc.max_reconnect_backoff_ms", 200)]) as channel:
        export = channel.unary_unary(METHOD)

        def taken() -> bool:
            try:
                export(b"", timeout=1.0)
            except grpc.RpcError:
                return False
            return True

        wait_until(taken, f"{endpoint} to take requests", deadline)
