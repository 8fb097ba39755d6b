"""An OTLP/gRPC server that writes what it receives into files, for `milvus-otel capture --listen`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock
from typing import TYPE_CHECKING, Self

import grpc

from milvus_otel_processor.page.capture import lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from milvus_otel_processor.page.capture_files import CaptureFiles

_TRACES = "opentelemetry.proto.collector.trace.v1.TraceService"
_LOGS = "opentelemetry.proto.collector.logs.v1.LogsService"
_LARGEST = 64 << 20
_OPTIONS = [("grpc.max_receive_message_length", _LARGEST), ("grpc.so_reuseport", 0)]


class ListenError(Exception):
    """The address cannot be listened on; the message says why."""


class Listener:
    """Receives while its block runs, until there are `size` bytes of spans, or of lines. Making it raises ListenError."""

    def __init__(self, endpoint: str, files: CaptureFiles, size: int) -> None:
        self._files = files
        self._size = size
        self._lock = Lock()
        self._end = Event()
        self._failure: OSError | None = None
        self._server = grpc.server(ThreadPoolExecutor(max_workers=2, thread_name_prefix="capture"), options=_OPTIONS)
        services = ((_TRACES, self._take_spans), (_LOGS, self._take_lines))
        self._server.add_generic_rpc_handlers(tuple(_handlers(service, take) for service, take in services))
        try:
            port = self._server.add_insecure_port(endpoint)
        except RuntimeError:
            raise ListenError(f"--listen {endpoint}: cannot be listened on, expected a free host:port") from None
        self.endpoint = f"{endpoint.rpartition(':')[0]}:{port}"

    def __enter__(self) -> Self:
        """Begin; the files are open by then."""
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End; what is being received is written."""
        self._server.stop(grace=1.0).wait()

    def wait(self, seconds: float) -> None:
        """Wait for so long, or until there is enough. Raises OSError where a file could not be written."""
        self._end.wait(seconds)
        if self._failure is not None:
            raise self._failure

    def _take_spans(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        del context
        content = len(request).to_bytes(4, "big") + request
        with self._lock:
            if self._has_room(self._files.span_bytes, content):
                self._write(self._files.write_spans, content)
        return b""

    def _take_lines(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        del context
        content = b"".join(lines(request))
        with self._lock:
            if self._has_room(self._files.line_bytes, content):
                self._write(self._files.write_lines, content)
        return b""

    def _has_room(self, size: int, content: bytes) -> bool:
        if size + len(content) > self._size:
            self._end.set()
        return not self._end.is_set()

    def _write(self, write: Callable[[bytes], None], content: bytes) -> None:
        try:
            write(content)
        except OSError as error:
            self._failure = error
            self._end.set()


def _handlers(service: str, take: Callable[[bytes, grpc.ServicerContext], bytes]) -> grpc.GenericRpcHandler:
    handler = grpc.unary_unary_rpc_method_handler(take)
    return grpc.method_handlers_generic_handler(service, {"Export": handler})
