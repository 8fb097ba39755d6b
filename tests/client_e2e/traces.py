"""The two sides of a trace: what the client's SDK exported, and what Milvus sent over OTLP."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Self

import grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.trace import StatusCode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

DEADLINE_SECONDS = 20


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Poll until the condition holds; fail with what was waited for."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"waited {DEADLINE_SECONDS} s in vain: {what}"
        pause.wait(0.02)


class MetricsReceiver(metrics_service_pb2_grpc.MetricsServiceServicer):
    """The part of the receiver that takes metrics."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._received: list[Any] = []

    def Export(self, request: Any, _context: Any) -> Any:  # noqa: N802 - the service's own name
        with self._lock:
            self._received.extend(request.resource_metrics)
        return metrics_service_pb2.ExportMetricsServiceResponse()

    def received(self) -> list[Any]:
        """Every `ResourceMetrics` that came."""
        with self._lock:
            return list(self._received)


class Receiver(trace_service_pb2_grpc.TraceServiceServicer):
    """An OTLP/gRPC receiver that remembers what it receives, from Milvus or from any other service."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spans: list[Any] = []
        self._service_names: set[str] = set()
        self.metrics = MetricsReceiver()
        self._server = grpc.server(ThreadPoolExecutor(4))
        metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(self.metrics, self._server)  # type: ignore[no-untyped-call]
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(self, self._server)  # type: ignore[no-untyped-call]
        self.endpoint = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop(grace=None).wait()

    def Export(self, request: Any, _context: Any) -> Any:  # noqa: N802 - the service's own name
        with self._lock:
            for resource_spans in request.resource_spans:
                self._service_names |= {
                    attribute.value.string_value
                    for attribute in resource_spans.resource.attributes
                    if attribute.key == "service.name"
                }
                for scope_spans in resource_spans.scope_spans:
                    self._spans.extend(scope_spans.spans)
        return trace_service_pb2.ExportTraceServiceResponse()

    def spans(self) -> list[Any]:
        with self._lock:
            return list(self._spans)

    def service_names(self) -> set[str]:
        with self._lock:
            return set(self._service_names)

    def parents_of_requests(self) -> set[tuple[int, int]]:
        """Trace id and parent's span id of every server span of a request."""
        return {
            (int.from_bytes(span.trace_id, "big"), int.from_bytes(span.parent_span_id, "big"))
            for span in self.spans()
            if span.name.startswith("milvus.proto.milvus.MilvusService/")
        }


class Traces:
    """The client's spans, told apart: operations (`db.*`) and rpcs (`rpc.*`)."""

    def __init__(self, exporter: InMemorySpanExporter, receiver: Receiver) -> None:
        self._exporter = exporter
        self._receiver = receiver

    def clear(self) -> None:
        self._exporter.clear()

    def operations(self) -> list[ReadableSpan]:
        return [span for span in self._exporter.get_finished_spans() if _has(span, "db.system.name")]

    def rpcs(self) -> list[ReadableSpan]:
        return [span for span in self._exporter.get_finished_spans() if _has(span, "rpc.system")]

    def only_operation(self) -> ReadableSpan:
        operations = self.operations()
        assert len(operations) == 1, [span.name for span in operations]
        return operations[0]

    def wait_until_joined(self, parents: Iterable[ReadableSpan]) -> None:
        """Wait until Milvus has sent a server span below each of these spans."""
        expected = {(span.context.trace_id, span.context.span_id): span.name for span in parents if span.context}
        assert expected

        def missing() -> list[str]:
            joined = self._receiver.parents_of_requests()
            return [name for key, name in expected.items() if key not in joined]

        try:
            wait_until(lambda: not missing(), "Milvus' spans")
        except AssertionError:
            raise AssertionError(f"no span of Milvus below {missing()}") from None

    def wait_for_rpcs_of(self, operation: ReadableSpan) -> list[ReadableSpan]:
        """Return the rpcs below an operation; the last one may end on gRPC's thread, after the operation."""
        wait_until(lambda: bool(self._rpcs_of(operation)), f"rpc spans below {operation.name}")
        return self._rpcs_of(operation)

    def _rpcs_of(self, operation: ReadableSpan) -> list[ReadableSpan]:
        assert operation.context is not None
        return [span for span in self.rpcs() if span.parent and span.parent.span_id == operation.context.span_id]


def attributes_of(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def is_error(span: ReadableSpan) -> bool:
    return span.status.status_code is StatusCode.ERROR


def _has(span: ReadableSpan, key: str) -> bool:
    return key in (span.attributes or {})
