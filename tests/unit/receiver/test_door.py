"""What is refused before it is read or inflated, and clients that announce requests and send none."""

import gzip
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from time import monotonic

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status
from milvus_otel_processor.receiver.inflate import InflateError, TooLargeError, announced_size, inflate, is_compressed
from milvus_otel_processor.receiver.server import ALIVE, Receiver
from milvus_otel_processor.receiver.services import TRACE_SERVICE
from milvus_otel_processor.telemetry.counters import Telemetry

from tests.peers.otlp_sink import METHOD
from tests.peers.waiting import wait_until
from tests.support.door import Door
from tests.support.processor import CALL_SECONDS, receiver_settings

MIB = 1 << 20


class Open:
    """A receiver that runs, what it took, and what it counted."""

    def __init__(self, **settings: object) -> None:
        self.door = Door()
        self.taken: list[bytes] = []
        self.hold: threading.Event | None = None
        self.telemetry = Telemetry()
        self.ready = True
        self.receiver = Receiver(
            receiver_settings(**settings),  # type: ignore[arg-type] # none of them is the endpoint
            {TRACE_SERVICE: self._take},
            self.telemetry,
            admission=self.door,
            ready=lambda: self.ready,
        )
        self.endpoint = self.receiver.start()

    def _take(self, request: bytes) -> bytes:
        if self.hold is not None:
            self.hold.wait(CALL_SECONDS)
        self.taken.append(request)
        return b""

    def send(self, request: bytes, metadata: tuple[tuple[str, str], ...] = ()) -> bytes:
        with grpc.insecure_channel(self.endpoint, [("grpc.max_send_message_length", -1)]) as channel:
            answer: bytes = channel.unary_unary(METHOD)(request, timeout=CALL_SECONDS, metadata=metadata)
            return answer

    @property
    def refused(self) -> dict[str, int]:
        return self.telemetry.snapshot().refused_requests


@pytest.fixture
def opened() -> Iterator[Open]:
    made = Open(max_recv_msg_size_mib=2, read_timeout=1.5)
    yield made
    made.receiver.stop(0)


def retry_delay(error: grpc.RpcError) -> float | None:
    status = rpc_status.from_call(error)
    for detail in status.details if status is not None else ():
        info = RetryInfo()
        if detail.Unpack(info):
            return float(info.retry_delay.ToTimedelta().total_seconds())
    return None


class Silent:
    """A stream that has sent its headers, and sends no more."""

    def __init__(self, endpoint: str) -> None:
        self._channel = grpc.insecure_channel(endpoint, [("grpc.use_local_subchannel_pool", 1)])
        self._end = threading.Event()
        self.call = self._channel.stream_unary(METHOD).future(self._nothing())

    def _nothing(self) -> Iterator[bytes]:
        self._end.wait(60)
        yield from ()

    def close(self) -> None:
        self._end.set()
        self.call.cancel()
        self._channel.close()


def test_silent_streams_stop_neither_other_senders_nor_the_health_check(opened: Open) -> None:
    with ExitStack() as stack:
        silent = [Silent(opened.endpoint) for _ in range(40)]
        for one in silent:
            stack.callback(one.close)
        wait_until(lambda: len(opened.receiver._exports._reading) == 40, "the streams to be there", interval=0.01)
        began = monotonic()
        for number in range(20):
            opened.send(b"request %d" % number)
        with grpc.insecure_channel(opened.endpoint) as channel:
            health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=CALL_SECONDS)
        assert monotonic() - began < 5
        assert health.status == health_pb2.HealthCheckResponse.SERVING
        assert len(opened.taken) == 20
        # They do not stay for good.
        wait_until(lambda: opened.refused.get("read_timeout") == 40, "the streams to be let go", interval=0.05)
        assert silent[0].call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert retry_delay(silent[0].call) == 1


def test_in_danger_what_is_being_read_is_let_go(opened: Open) -> None:
    silent = Silent(opened.endpoint)
    wait_until(lambda: len(opened.receiver._exports._reading) == 1, "the stream to be there", interval=0.01)
    opened.door.in_danger = True
    wait_until(lambda: opened.refused.get("memory_limit") == 1, "the stream to be let go", interval=0.01)
    silent.close()


def test_at_the_end_what_is_being_read_is_refused_as_what_comes_then(opened: Open) -> None:
    silent = Silent(opened.endpoint)
    wait_until(lambda: len(opened.receiver._exports._reading) == 1, "the stream to be there", interval=0.01)
    opened.receiver.stop(5)
    assert opened.refused == {"shutdown": 1}
    silent.close()


def test_what_grpc_ends_before_it_came_is_no_malformed_request(opened: Open) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        opened.send(bytes(3 * MIB))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    wait_until(lambda: opened.refused == {"cancelled": 1}, "it to be counted", interval=0.01)
    silent = Silent(opened.endpoint)
    wait_until(lambda: len(opened.receiver._exports._reading) == 1, "the stream to be there", interval=0.01)
    silent.call.cancel()
    wait_until(lambda: opened.refused == {"cancelled": 2}, "it to be counted", interval=0.01)
    silent.close()


def test_a_stream_without_a_request_is_malformed(opened: Open) -> None:
    with grpc.insecure_channel(opened.endpoint) as channel, pytest.raises(grpc.RpcError) as caught:
        channel.stream_unary(METHOD)(iter(()), timeout=CALL_SECONDS)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert opened.refused == {"malformed_request": 1}


def test_without_memory_a_request_is_refused_before_it_is_read_and_is_to_be_sent_again(opened: Open) -> None:
    opened.door.closed = True
    with pytest.raises(grpc.RpcError) as caught:
        opened.send(b"x" * MIB)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert retry_delay(caught.value) == 1
    assert (opened.taken, opened.refused, opened.door.most_reserved) == ([], {"memory_limit": 1}, 0)
    opened.door.closed = False
    opened.send(b"x")
    assert opened.taken == [b"x"]


def test_where_a_request_does_not_fit_now_it_is_to_be_sent_again_where_it_never_will_it_is_not(opened: Open) -> None:
    opened.door.room = 1000
    opened.door.reserved = 500
    for size, again in ((600, True), (1001, False)):
        with pytest.raises(grpc.RpcError) as caught:
            opened.send(b"x" * size)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert (retry_delay(caught.value) is not None) is again
    assert opened.refused == {"memory_limit": 1, "too_large": 1}
    opened.door.reserved = 0
    opened.send(b"x" * 600)
    assert opened.door.reserved == 0


def test_a_compressed_request_counts_as_what_it_says_before_it_is_inflated(opened: Open) -> None:
    opened.door.room = MIB
    packed = gzip.compress(b"\n" + bytes(1_500_000))
    with pytest.raises(grpc.RpcError):
        opened.send(packed)
    assert (opened.taken, opened.refused) == ([], {"too_large": 1})
    opened.door.room = 2 * MIB
    opened.send(packed)
    assert opened.taken == [b"\n" + bytes(1_500_000)]
    assert opened.door.reserved == 0


def test_what_is_reserved_is_given_back_when_the_sender_has_gone_away_meanwhile(opened: Open) -> None:
    opened.hold = threading.Event()
    with grpc.insecure_channel(opened.endpoint) as channel:
        call = channel.unary_unary(METHOD).future(b"abc")
        wait_until(lambda: opened.door.reserved == 3, "the request to be there", interval=0.01)
        call.cancel()
    opened.hold.set()
    wait_until(lambda: opened.door.reserved == 0, "it to be given back", interval=0.01)
    assert opened.taken == [b"abc"]


def test_ready_is_told_from_alive(opened: Open) -> None:
    with grpc.insecure_channel(opened.endpoint) as channel:
        check = health_pb2_grpc.HealthStub(channel).Check

        def status(service: str) -> str:
            answer = check(health_pb2.HealthCheckRequest(service=service), timeout=CALL_SECONDS)
            return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))

        assert status("") == status(TRACE_SERVICE) == status(ALIVE) == "SERVING"
        opened.ready = False
        wait_until(lambda: status("") == status(TRACE_SERVICE) == "NOT_SERVING", "it to be told", interval=0.05)
        assert status(ALIVE) == "SERVING"
        opened.ready = True
        wait_until(lambda: status("") == "SERVING", "it to be told", interval=0.05)


def test_connections_beyond_the_limit_are_not_let_in() -> None:
    opened = Open(max_connections=3)
    alone = [("grpc.use_local_subchannel_pool", 1)]
    with ExitStack() as stack:
        stack.callback(opened.receiver.stop, 0)
        for _ in range(3):
            channel = stack.enter_context(grpc.insecure_channel(opened.endpoint, alone))
            channel.unary_unary(METHOD)(b"x", timeout=CALL_SECONDS)
        one_more = stack.enter_context(grpc.insecure_channel(opened.endpoint, alone))
        with pytest.raises(grpc.RpcError):
            one_more.unary_unary(METHOD)(b"x", timeout=1)
    assert len(opened.taken) == 3


@pytest.mark.parametrize("data", [b"", b"x", b"\n" + bytes(3 * MIB)], ids=len)
@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
def test_what_is_inflated_is_what_was_compressed(pack: Callable[[bytes], bytes], data: bytes) -> None:
    packed = pack(data)
    assert is_compressed(packed)
    assert inflate(packed, max(1, len(data))) == data
    assert announced_size(gzip.compress(data)) == len(data)


def test_a_bomb_is_not_inflated_beyond_the_bound() -> None:
    with pytest.raises(TooLargeError):
        inflate(gzip.compress(bytes(300 * MIB), 1), MIB)


HARMS: list[Callable[[bytes], bytes]] = [
    lambda packed: packed[:-9],
    lambda packed: packed[:20] + b"xx" + packed[22:],
    lambda packed: packed + b"x",
]


@pytest.mark.parametrize("harm", HARMS)
def test_what_is_broken_or_cut_short_is_told(harm: Callable[[bytes], bytes]) -> None:
    with pytest.raises(InflateError):
        inflate(harm(gzip.compress(bytes(range(256)) * 9)), MIB)
