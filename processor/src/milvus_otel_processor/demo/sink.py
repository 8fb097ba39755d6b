"""The end of the demo's pipeline: an OTLP/gRPC server that keeps what the processor kept, to be shown."""

from __future__ import annotations

from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple, Self

import grpc
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from milvus_otel_processor.demo.errors import DemoError
from milvus_otel_processor.replay.decoded import decode

if TYPE_CHECKING:
    from types import TracebackType

    from milvus_otel_processor.replay.kept_span import KeptSpan

EXPORT_METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_MAX_TRACES = 5000
_FORWARD_SECONDS = 10.0
_REACH_SECONDS = 3.0
_LOCAL = [("grpc.max_receive_message_length", -1), ("grpc.enable_http_proxy", 0)]


class Forwarded(NamedTuple):
    """What the peer at `endpoint` took."""

    endpoint: str
    traces: int
    spans: int


class Sink:
    """Receives on a free port of 127.0.0.1 while its block runs, and forwards each request to `export` if given.

    Holds the latest 5,000 traces. Entering raises DemoError when nothing answers at `export`.
    """

    endpoint: str

    def __init__(self, export: str | None = None) -> None:
        self._export = export
        self._traces: OrderedDict[str, list[KeptSpan]] = OrderedDict()
        self._lock = Lock()
        self._server = grpc.server(ThreadPoolExecutor(max_workers=2, thread_name_prefix="sink"), options=_LOCAL)
        self._channel: grpc.Channel | None = None
        self._forwarded_traces: OrderedDict[str, None] = OrderedDict()
        self._forwarded = Forwarded(export or "", 0, 0)
        self.not_forwarded = 0
        """Requests that the peer at `export` did not take."""

    def __enter__(self) -> Self:
        """Start to receive."""
        if self._export is not None:
            self._channel = _reached(self._export)
        handler = grpc.unary_unary_rpc_method_handler(self._receive)
        service, method = EXPORT_METHOD.strip("/").split("/")
        self._server.add_registered_method_handlers(service, {method: handler})
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
        self.endpoint = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop to receive; what was received stays."""
        if self._channel is not None:
            self._channel.close()
        self._server.stop(grace=None).wait()

    def traces(self) -> list[list[KeptSpan]]:
        """Return the traces received, the spans of each by start time."""
        with self._lock:
            return [sorted(spans, key=lambda span: span.start) for spans in self._traces.values()]

    @property
    def forwarded(self) -> Forwarded | None:
        """What the peer at `export` took until now; None without one."""
        return self._forwarded if self._export is not None else None

    def _receive(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        del context
        spans = list(decode(request))
        with self._lock:
            for span in spans:
                self._traces.setdefault(span.trace_id, []).append(span)
            while len(self._traces) > _MAX_TRACES:
                self._traces.popitem(last=False)
        self._forward(request, spans)
        return ExportTraceServiceResponse().SerializeToString()

    def _forward(self, request: bytes, spans: list[KeptSpan]) -> None:
        if self._channel is None:
            return
        try:
            answer = self._channel.unary_unary(EXPORT_METHOD)(request, timeout=_FORWARD_SECONDS)
        except (grpc.RpcError, ValueError):  # ValueError: the channel was closed meanwhile
            with self._lock:
                self.not_forwarded += 1
            return
        with self._lock:
            self._count_forwarded(spans, _rejected(answer))

    def _count_forwarded(self, spans: list[KeptSpan], rejected: int) -> None:
        """Count a request that was taken; a trace counts once, though its spans come in several."""
        known = self._forwarded_traces
        fresh = {span.trace_id for span in spans} - known.keys() if len(spans) > rejected else set()
        known.update(dict.fromkeys(fresh))
        while len(known) > _MAX_TRACES:
            known.popitem(last=False)
        endpoint, traces, taken = self._forwarded
        self._forwarded = Forwarded(endpoint, traces + len(fresh), taken + max(0, len(spans) - rejected))


def _rejected(answer: bytes) -> int:
    """Return how many spans of a request were not taken, by the answer: its partial success."""
    try:
        return max(0, ExportTraceServiceResponse.FromString(answer).partial_success.rejected_spans)
    except DecodeError:
        return 0


def _reached(endpoint: str) -> grpc.Channel:
    channel = grpc.insecure_channel(endpoint, options=[("grpc.max_send_message_length", -1)])
    try:
        grpc.channel_ready_future(channel).result(timeout=_REACH_SECONDS)
    except grpc.FutureTimeoutError:
        channel.close()
        raise DemoError(
            f"--export {endpoint}: nothing answers there; expected the host:port of an OTLP/gRPC receiver, "
            "such as a Jaeger's 127.0.0.1:4317"
        ) from None
    return channel
