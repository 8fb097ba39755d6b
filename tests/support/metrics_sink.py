"""A receiver of metrics by OTLP, over gRPC and over HTTP, in the test's own process."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Condition
from typing import Any

import grpc
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import (
    MetricsServiceServicer,
    add_MetricsServiceServicer_to_server,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.support.http import served

DEADLINE = 60.0


class MetricsSink(MetricsServiceServicer):
    """Keeps the requests that came, with their headers; `refuse` is the status that gRPC calls get instead."""

    def __init__(self) -> None:
        self.refuse: grpc.StatusCode | None = None
        self._changed = Condition()
        self._requests: list[ExportMetricsServiceRequest] = []
        self.headers: list[dict[str, Any]] = []
        self.calls = 0

    def Export(self, request: ExportMetricsServiceRequest, context: Any) -> ExportMetricsServiceResponse:  # noqa: N802
        with self._changed:
            self.calls += 1
            self._changed.notify_all()
        if self.refuse is not None:
            context.abort(self.refuse, "not now")
        self._keep(request, dict(context.invocation_metadata()))
        return ExportMetricsServiceResponse()

    async def post(self, request: Request) -> Response:
        self._keep(ExportMetricsServiceRequest.FromString(await request.body()), dict(request.headers))
        return Response(ExportMetricsServiceResponse().SerializeToString(), media_type="application/x-protobuf")

    def _keep(self, request: ExportMetricsServiceRequest, headers: dict[str, Any]) -> None:
        with self._changed:
            self._requests.append(request)
            self.headers.append(headers)
            self._changed.notify_all()

    def wait_for(self, number: int) -> list[ExportMetricsServiceRequest]:
        """The requests, once there are so many."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._requests) >= number, DEADLINE):
                raise TimeoutError(f"{len(self._requests)} requests came instead of {number}")
            return list(self._requests)

    def metrics(self) -> dict[str, Metric]:
        """The last of each metric, by its name."""
        return {
            metric.name: metric
            for request in self._requests
            for resource in request.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


@contextmanager
def grpc_sink() -> Iterator[tuple[MetricsSink, str]]:
    """A sink, and its URL."""
    sink = MetricsSink()
    server = grpc.server(ThreadPoolExecutor(4))
    add_MetricsServiceServicer_to_server(sink, server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield sink, f"http://127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


@contextmanager
def http_sink() -> Iterator[tuple[MetricsSink, str]]:
    """A sink, and its URL."""
    sink = MetricsSink()
    with served([Route("/v1/metrics", sink.post, methods=["POST"])]) as url:
        yield sink, f"{url}/v1/metrics"
