"""Requests of an application of the test's own, each a trace that the shipped rules keep because it failed."""

import secrets
import time
from threading import Event, Thread
from types import TracebackType
from typing import Self

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from tests.peers.otlp_sink import METHOD

SERVICE = "load"


def failed_request(trace_id: bytes, service: str = SERVICE) -> ExportTraceServiceRequest:
    """One trace of one span, which has the status ERROR."""
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    resource_spans.resource.attributes.add(key="service.name").value.string_value = service
    span = resource_spans.scope_spans.add().spans.add()
    span.trace_id, span.span_id, span.name = trace_id, secrets.token_bytes(8), "order"
    span.start_time_unix_nano = time.time_ns()
    span.end_time_unix_nano = span.start_time_unix_nano + 1_000_000
    span.status.code = Status.STATUS_CODE_ERROR
    return request


def heartbeat(trace_id: bytes) -> ExportTraceServiceRequest:
    """One trace as Milvus makes it by itself, which the shipped rules drop."""
    request = failed_request(trace_id, "standalone")
    request.resource_spans[0].scope_spans[0].spans[0].name = "milvus.proto.rootcoord.RootCoord/AllocTimestamp"
    return request


def export(channel: grpc.Channel, request: ExportTraceServiceRequest, token: str | None = None) -> None:
    """Send one request; raises grpc.RpcError if it is refused."""
    call = channel.unary_unary(
        METHOD, ExportTraceServiceRequest.SerializeToString, ExportTraceServiceResponse.FromString
    )
    metadata = [("authorization", f"Bearer {token}")] if token else []
    call(request, timeout=10, metadata=metadata)


class Load:
    """While it is open, sends `rate` traces a second to the Collector, and knows those that were accepted."""

    def __init__(self, endpoint: str, rate: float) -> None:
        self.accepted: set[str] = set()
        self.refused: list[grpc.RpcError] = []
        self._endpoint = endpoint
        self._pause = 1 / rate
        self._stopped = Event()
        self._thread = Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join(15)

    def _run(self) -> None:
        with grpc.insecure_channel(self._endpoint) as channel:
            while not self._stopped.wait(self._pause):
                trace_id = secrets.token_bytes(16)
                try:
                    export(channel, failed_request(trace_id))
                    self.accepted.add(trace_id.hex())
                except grpc.RpcError as error:
                    self.refused.append(error)
