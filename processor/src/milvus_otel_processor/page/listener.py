"""An OTLP/gRPC server that writes what it receives into files, for `milvus-otel capture --listen`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock
from typing import IO, TYPE_CHECKING, Self

import grpc

from milvus_otel_processor.page.capture import lines

if TYPE_CHECKING:
    from collections.abc import Callable

_TRACES = "opentelemetry.proto.collector.trace.v1.TraceService"
_LOGS = "opentelemetry.proto.collector.logs.v1.LogsService"
_LARGEST = 64 << 20
_OPTIONS = [("grpc.max_receive_message_length", _LARGEST), ("grpc.so_reuseport", 0)]


class ListenError(Exception):
    """The address cannot be listened on; the message says why."""


class Listener:
    """Receives while its block runs, until one of the files has `size` bytes."""

    def __init__(self, endpoint: str, spans: IO[bytes], log: IO[bytes], size: int) -> None:
        self.endpoint = endpoint
        self._spans, self._log = spans, log
        self._size = size
        self._lock = Lock()
        self._full = Event()
        self._server = grpc.server(ThreadPoolExecutor(max_workers=2, thread_name_prefix="capture"), options=_OPTIONS)

    def __enter__(self) -> Self:
        """Begin. Raises ListenError."""
        services = ((_TRACES, self._take_spans), (_LOGS, self._take_lines))
        self._server.add_generic_rpc_handlers(tuple(_handlers(service, take) for service, take in services))
        try:
            port = self._server.add_insecure_port(self.endpoint)
        except RuntimeError:
            raise ListenError(f"--listen {self.endpoint}: cannot be listened on, expected a free host:port") from None
        self.endpoint = f"{self.endpoint.rpartition(':')[0]}:{port}"
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End; what is being received is written."""
        self._server.stop(grace=1.0).wait()

    def wait(self, seconds: float) -> None:
        """Wait for so long, or until there is enough."""
        self._full.wait(seconds)

    def _take_spans(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        del context
        self._write(self._spans, len(request).to_bytes(4, "big") + request)
        return b""

    def _take_lines(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        del context
        self._write(self._log, b"".join(lines(request)))
        return b""

    def _write(self, file: IO[bytes], content: bytes) -> None:
        with self._lock:
            if file.tell() + len(content) > self._size:
                self._full.set()
            if not self._full.is_set():
                file.write(content)


def _handlers(service: str, take: Callable[[bytes, grpc.ServicerContext], bytes]) -> grpc.GenericRpcHandler:
    handler = grpc.unary_unary_rpc_method_handler(take)
    return grpc.method_handlers_generic_handler(service, {"Export": handler})
