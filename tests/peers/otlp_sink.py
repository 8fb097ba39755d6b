"""A receiving OTLP/gRPC server in the test's own process, which keeps what it got and can be told to fail."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from threading import Condition, Event

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


class Received:
    """One `ExportTraceServiceRequest`: `raw` as it came, `request` decoded, and the call's gRPC `metadata`."""

    def __init__(self, raw: bytes, metadata: dict[str, str]) -> None:
        self.raw = raw
        self.metadata = metadata

    @cached_property
    def request(self) -> ExportTraceServiceRequest:
        """The request, decoded when first asked for."""
        return ExportTraceServiceRequest.FromString(self.raw)

    def spans(self) -> Iterator[tuple[Resource, InstrumentationScope, Span]]:
        """Each span with the resource and scope it came under."""
        for resource_spans in self.request.resource_spans:
            for scope_spans in resource_spans.scope_spans:
                for span in scope_spans.spans:
                    yield resource_spans.resource, scope_spans.scope, span


@dataclass
class _Failure:
    code: grpc.StatusCode
    remaining: int
    """How many calls fail yet; negative: all of them."""


class OtlpSink:
    """Keeps accepted requests in order; counts all calls, refused ones too. Safe to use from any thread."""

    def __init__(self) -> None:
        self.endpoint = ""
        self._changed = Condition()
        self._received: list[Received] = []
        self._calls = 0
        self._failure: _Failure | None = None
        self._delay = 0.0
        self._stopped = Event()

    def received(self) -> list[Received]:
        """The requests accepted so far."""
        with self._changed:
            return list(self._received)

    def calls(self) -> int:
        """How many calls came in so far, refused ones too."""
        with self._changed:
            return self._calls

    def spans(self) -> list[Span]:
        """The spans of all accepted requests."""
        return [span for received in self.received() for _, _, span in received.spans()]

    def trace_ids(self) -> set[str]:
        """The trace ids, in hex, of all accepted spans."""
        return {span.trace_id.hex() for span in self.spans()}

    def fail_with(self, code: grpc.StatusCode, calls: int = -1) -> None:
        """Answer the next `calls` calls (-1: all from now on) with `code`, keeping nothing of them."""
        with self._changed:
            self._failure = _Failure(code, calls)

    def recover(self) -> None:
        """Accept calls again, at once."""
        with self._changed:
            self._failure = None
            self._delay = 0.0

    def delay(self, seconds: float) -> None:
        """Hold every answer back for `seconds`."""
        with self._changed:
            self._delay = seconds

    def wait_for(self, predicate: Callable[["OtlpSink"], bool], deadline: float = 30.0) -> None:
        """Return when `predicate(self)` holds, asked anew after each call; TimeoutError after `deadline` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: predicate(self), deadline):
                raise TimeoutError(
                    f"after {deadline:g} s: {len(self._received)} requests accepted of {self._calls} calls,"
                    f" {len(self.spans())} spans"
                )

    def export(self, raw: bytes, context: grpc.ServicerContext) -> ExportTraceServiceResponse:
        """Serve one Export call."""
        with self._changed:
            delay = self._delay
        if delay:
            self._stopped.wait(delay)
        with self._changed:
            self._calls += 1
            failure = self._next_failure()
            if failure is None:
                metadata = {key: str(value) for key, value in context.invocation_metadata()}
                self._received.append(Received(raw, metadata))
            self._changed.notify_all()
        if failure is not None:
            context.abort(failure, "told to fail by the test")
        return ExportTraceServiceResponse()

    def stop(self) -> None:
        """Let delayed answers go."""
        self._stopped.set()

    def _next_failure(self) -> grpc.StatusCode | None:
        if self._failure is None or self._failure.remaining == 0:
            return None
        self._failure.remaining -= 1
        return self._failure.code


@contextmanager
def otlp_sink(port: int = 0, max_message_mib: int = 64) -> Iterator[OtlpSink]:
    """An `OtlpSink` listening on 127.0.0.1:`port` (0: a free one), named by its `endpoint`."""
    sink = OtlpSink()
    handler = grpc.unary_unary_rpc_method_handler(
        sink.export, request_deserializer=None, response_serializer=ExportTraceServiceResponse.SerializeToString
    )
    service, method = METHOD.strip("/").split("/")
    options = [("grpc.max_receive_message_length", max_message_mib * 1024 * 1024), ("grpc.so_reuseport", 0)]
    server = grpc.server(ThreadPoolExecutor(max_workers=8), options=options)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    sink.endpoint = f"127.0.0.1:{bound}"
    server.start()
    try:
        yield sink
    finally:
        sink.stop()
        server.stop(grace=1).wait()
