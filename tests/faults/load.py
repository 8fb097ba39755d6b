"""Load that costs the sender little: one request made once, and numbered anew for each sending."""

import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from random import Random
from typing import Protocol

import grpc
from google.rpc.error_details_pb2 import RetryInfo
from grpc_status import rpc_status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.peers.otlp_sink import METHOD
from tests.support.wire import delimited

_MARK = b"numbered"
_CUT_ATTRIBUTE = b"\x4a\x7f"
_ID = re.compile(rb"\n\x10(.{8}).{8}\x12\x08", re.DOTALL)
"""A trace id and what comes before a span id: of its 16 bytes the first 8 are the request's number."""
_RETRIED = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.DATA_LOSS,
}


class Numbered(Protocol):
    """Requests that differ by their number."""

    @property
    def spans(self) -> int:
        """How many there are in each."""

    def numbered(self, number: int) -> bytes:
        """The request with this number."""


class Requests:
    """Requests of so many spans, in traces of `trace` spans each, told apart by their number."""

    def __init__(self, spans: int, *, text: int = 100, name: str = "request", trace: int = 10) -> None:
        self.spans = spans
        made = ExportTraceServiceRequest()
        found = made.resource_spans.add().scope_spans.add().spans
        now, texts = time.time_ns(), Random(0)  # what repeats itself could be held in less memory
        for number in range(spans):
            trace_id = _MARK + (number // trace).to_bytes(8, "big")
            span = found.add(trace_id=trace_id, span_id=(number + 1).to_bytes(8, "big"), name=name)
            span.start_time_unix_nano, span.end_time_unix_nano = now, now + 1000
            span.attributes.add(key="text").value.string_value = texts.randbytes(text).hex()[:text]
        self._made = bytes(made.SerializeToString())

    def numbered(self, number: int) -> bytes:
        """The request with this number, of 63 bits."""
        return self._made.replace(_MARK, number.to_bytes(8, "big"))


class Broken:
    """Such requests, in which `malformed` spans more are no valid protobuf: each in the trace of one that is."""

    def __init__(self, spans: int, malformed: int) -> None:
        self.spans = spans
        self._requests = Requests(spans)
        made = ExportTraceServiceRequest.FromString(self._requests.numbered(0)).resource_spans[0].scope_spans[0].spans
        cut = [one.SerializeToString() + _CUT_ATTRIBUTE for one in made[:malformed]]
        inner = b"".join(delimited(2, one) for one in cut)
        self._more = delimited(1, delimited(2, inner)).replace(bytes(8) + bytes(8), _MARK + bytes(8))

    def numbered(self, number: int) -> bytes:
        """The request with this number, of 63 bits."""
        return self._requests.numbered(number) + self._more.replace(_MARK, number.to_bytes(8, "big"))


class Sink:
    """An OTLP receiver that counts the spans of each request, and keeps none of them."""

    def __init__(self) -> None:
        self.endpoint = ""
        self.away = threading.Event()
        """Set while it refuses everything with UNAVAILABLE."""
        self.refuses = threading.Event()
        """Set while it refuses everything for good."""
        self._arrived: Counter[bytes] = Counter()
        self._refused: Counter[bytes] = Counter()
        self._lock = threading.Lock()

    def export(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        if self.away.is_set():
            context.abort(grpc.StatusCode.UNAVAILABLE, "away")
        found, refuses = Counter(_ID.findall(request)), self.refuses.is_set()
        with self._lock:
            (self._refused if refuses else self._arrived).update(found)
        if refuses:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "not wanted")
        return b""

    @property
    def spans(self) -> int:
        """How many arrived, each as often as it did."""
        with self._lock:
            return self._arrived.total()

    def arrived(self, number: int) -> int:
        """How many spans of this request arrived."""
        with self._lock:
            return self._arrived[number.to_bytes(8, "big")]

    @property
    def refused(self) -> int:
        """How many spans it refused for good."""
        with self._lock:
            return self._refused.total()

    def missing(self, numbers: set[int], spans: int) -> int:
        """How many spans of these requests, of so many each, have not arrived, nor were refused for good."""
        with self._lock:
            keys = [number.to_bytes(8, "big") for number in numbers]
            return sum(max(0, spans - self._arrived[key] - self._refused[key]) for key in keys)

    def twice(self, numbers: set[int], spans: int) -> int:
        """How many came more than once."""
        with self._lock:
            return sum(max(0, self._arrived[number.to_bytes(8, "big")] - spans) for number in numbers)


@contextmanager
def sink(port: int = 0) -> Iterator[Sink]:
    """A Sink that listens on 127.0.0.1."""
    made = Sink()
    service, method = METHOD.strip("/").split("/")
    options = [("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0)]
    server = grpc.server(ThreadPoolExecutor(8), options=options)
    handlers = {method: grpc.unary_unary_rpc_method_handler(made.export)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    made.endpoint = f"127.0.0.1:{server.add_insecure_port(f'127.0.0.1:{port}')}"
    server.start()
    try:
        yield made
    finally:
        server.stop(None).wait()


class Load:
    """Sends requests one after the other, again where that is asked for, as the Collector does.

    `pause` is from the beginning of one request to that of the next; 0 sends as fast as they are taken. `first` keeps the
    numbers of several senders apart.
    """

    def __init__(self, endpoint: str, requests: Numbered, *, first: int = 1, pause: float = 0.0) -> None:
        self._endpoint = endpoint
        self._requests = requests
        self.spans = requests.spans
        """In each request."""
        self._next = first
        self._pause = pause
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.acknowledged: set[int] = set()
        """Numbers of requests; only what is here is owed."""
        self.refused: Counter[str] = Counter()
        self.seconds: list[float] = []
        """How long each answer took that was one."""
        self.given_up: set[int] = set()
        """Numbers of requests after whose answer the Collector would not have tried again."""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join(60)

    def _run(self) -> None:
        options = [
            ("grpc.max_reconnect_backoff_ms", 200),
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.max_send_message_length", -1),
        ]
        due = time.monotonic()
        with grpc.insecure_channel(self._endpoint, options) as channel:
            export = channel.unary_unary(METHOD)
            while not self._ended.is_set():
                self._send(export, self._next)
                self._next += 1
                due = max(due + self._pause, time.monotonic() - 1.0)
                self._ended.wait(max(0.0, due - time.monotonic()))

    def _send(self, export: grpc.UnaryUnaryMultiCallable, number: int) -> None:
        request = self._requests.numbered(number)
        while not self._ended.is_set():
            began = time.monotonic()
            try:
                export(request, timeout=30.0)
            except grpc.RpcError as error:
                self.refused[error.code().name] += 1
                if error.code() not in _RETRIED and not says_when(error):
                    self.given_up.add(number)
                    return
                self._ended.wait(0.05)
            else:
                self.seconds.append(time.monotonic() - began)
                self.acknowledged.add(number)
                return


def says_when(error: grpc.RpcError) -> bool:
    """Whether an error tells after which time to try again."""
    status = rpc_status.from_call(error)
    return status is not None and any(detail.Is(RetryInfo.DESCRIPTOR) for detail in status.details)


def percentile(values: list[float], share: float) -> float:
    """The value that this share of the values does not exceed."""
    found = sorted(values)
    return found[min(len(found) - 1, int(share * len(found)))]
