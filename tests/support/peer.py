"""An OTLP/gRPC server that answers as a test tells it to, call by call."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Lock

import grpc
from google.rpc import code_pb2
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tests.peers.otlp_sink import METHOD

Answer = Callable[[grpc.ServicerContext], bytes]


def accept(_: grpc.ServicerContext) -> bytes:
    return b""


def hang(context: grpc.ServicerContext) -> bytes:
    """Give no answer, until the client goes away."""
    gone = Event()
    if context.add_callback(gone.set):
        gone.wait(60)
    return b""


def fail(code: grpc.StatusCode) -> Answer:
    def answer(context: grpc.ServicerContext) -> bytes:
        context.abort(code, "told to fail by the test")
        raise AssertionError("abort raises")

    return answer


def ask_for_pause(code: int, seconds: int) -> Answer:
    """Fail with this `google.rpc.Code` and a RetryInfo."""
    info = RetryInfo()
    info.retry_delay.FromSeconds(seconds)
    status = Status(code=code, message="busy")
    status.details.add().Pack(info)

    def answer(context: grpc.ServicerContext) -> bytes:
        context.abort_with_status(rpc_status.to_status(status))
        raise AssertionError("abort raises")

    return answer


def reject(spans: int, message: str = "") -> Answer:
    """Accept the request but for some of its spans."""
    response = ExportTraceServiceResponse()
    response.partial_success.rejected_spans = spans
    response.partial_success.error_message = message
    return lambda _: response.SerializeToString()


class Peer:
    """Gives its answers in turn, the last one again and again; keeps each call's request and metadata."""

    def __init__(self, answers: tuple[Answer, ...]) -> None:
        self.endpoint = ""
        self.requests: list[bytes] = []
        self.metadata: list[dict[str, str]] = []
        self.refuses = b""
        """A request that holds these bytes is refused as a server in Go refuses what it cannot decode."""
        self._answers = answers or (accept,)
        self._lock = Lock()

    def export(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        with self._lock:
            answer = self._answers[min(len(self.requests), len(self._answers) - 1)]
            self.requests.append(request)
            self.metadata.append({key: str(value) for key, value in context.invocation_metadata()})
        if self.refuses and self.refuses in request:
            context.abort(grpc.StatusCode.INTERNAL, "error unmarshalling request")
        return answer(context)


@contextmanager
def peer(
    *answers: Answer, certificate: Path | None = None, key: Path | None = None, takes: str = METHOD
) -> Iterator[Peer]:
    """A Peer listening on a free port of 127.0.0.1, named by its `endpoint`; with a certificate, over TLS.

    It `takes` one method.
    """
    made = Peer(answers)
    service, method = takes.strip("/").split("/")
    server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
    handlers = {method: grpc.unary_unary_rpc_method_handler(made.export)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    if certificate is not None and key is not None:
        credentials = grpc.ssl_server_credentials([(key.read_bytes(), certificate.read_bytes())])
        port = server.add_secure_port("127.0.0.1:0", credentials)
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    made.endpoint = f"127.0.0.1:{port}"
    server.start()
    try:
        yield made
    finally:
        server.stop(grace=None).wait()


RESOURCE_EXHAUSTED = code_pb2.RESOURCE_EXHAUSTED
UNAVAILABLE = code_pb2.UNAVAILABLE
