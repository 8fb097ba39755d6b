"""Milvus' access log on its way to the processor: what the Collector does in the stack, for the demo."""

from __future__ import annotations

import time
from contextlib import contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING

import grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs

from milvus_otel_processor.demo.tail import Tail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

EXPORT_METHOD = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
_POLL_INTERVAL_SECONDS = 0.1  # the Collector's, in collector/config.yaml
_EXPORT_SECONDS = 2.0
_LOCAL = [
    ("grpc.enable_http_proxy", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
]


class Forwarder:
    """Sends what is new in a file. While that is not taken nothing more is read: the file is the queue.

    `export` takes a serialized ExportLogsServiceRequest, and raises grpc.RpcError or ValueError where it could not be sent.
    """

    def __init__(self, tail: Tail, export: Callable[[bytes], object]) -> None:
        self._tail = tail
        self._export = export
        self._unsent: list[str] = []

    def forward(self) -> None:
        """Send what is new, or what could not be sent the last time."""
        self._unsent = self._unsent or self._tail.records()
        self._send()

    def finish(self) -> None:
        """Send all that there is, the last record as well; give up where it is not taken."""
        self._send()
        while not self._unsent and (records := self._tail.records() or self._tail.rest()):
            self._unsent = records
            self._send()

    def _send(self) -> None:
        if not self._unsent:
            return
        try:
            self._export(_request(self._unsent))
        except (grpc.RpcError, ValueError):  # ValueError: the channel was closed meanwhile
            return
        self._unsent = []


@contextmanager
def forwarded(path: Path, endpoint: str) -> Iterator[None]:
    """Send what is appended to the file to the OTLP receiver at the endpoint (`host:port`) while the block runs.

    When the block ends well the rest is sent before it is left; after an exception the thread ends with what it is at.
    """
    stopping = Event()
    tail = Tail(path, time.monotonic)
    with grpc.insecure_channel(endpoint, options=_LOCAL) as channel:
        method = channel.unary_unary(EXPORT_METHOD)
        forwarder = Forwarder(tail, lambda request: method(request, timeout=_EXPORT_SECONDS))
        thread = Thread(target=_run, args=(forwarder, stopping), name="access-log", daemon=True)
        thread.start()
        try:
            yield
            stopping.set()
            thread.join()
            forwarder.finish()
        finally:
            stopping.set()
            channel.close()  # ends a call that is under way
            thread.join()
            tail.close()


def _run(forwarder: Forwarder, stopping: Event) -> None:
    while not stopping.wait(_POLL_INTERVAL_SECONDS):
        forwarder.forward()


def _request(records: list[str]) -> bytes:
    """Return the records as the bodies of log records, serialized."""
    logs = [LogRecord(body=AnyValue(string_value=record)) for record in records]
    of_resource = ResourceLogs(scope_logs=[ScopeLogs(log_records=logs)])
    return ExportLogsServiceRequest(resource_logs=[of_resource]).SerializeToString()
