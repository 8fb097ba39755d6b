"""Clients that open and say little: silent streams, requests a byte at a time, connections by the thousand. Others are served.

uv run python -m tests.faults.crowd [--streams 500] [--slow 200] [--connections 1000] [--seconds 30]
"""

import argparse
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.faults.load import Load, Requests, percentile, sink
from tests.faults.program import Program, wait_for_port
from tests.peers.otlp_sink import METHOD

SPANS = 20
_STREAMS_OF_A_CONNECTION = 50
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_SETTINGS = bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))


@dataclass
class Outcome:
    """What others saw meanwhile; times are in seconds."""

    who: str
    requests: int
    refused: dict[str, int]
    median: float
    p99: float
    slowest: float
    health_slowest: float
    new_client: float
    """How long a client took that connected meanwhile."""


@contextmanager
def silent_streams(endpoint: str, count: int) -> Iterator[None]:
    """So many Export calls that have sent their headers, and send no more; made anew when they are let go."""
    ended = threading.Event()

    def nothing() -> Iterator[bytes]:
        ended.wait()
        yield from ()

    def keep(streams: int) -> None:
        options = [("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(endpoint, options) as channel:
            call = channel.stream_unary(METHOD)
            under_way: list[grpc.Future] = []
            while not ended.is_set():
                under_way = [one for one in under_way if not one.done()]
                under_way += [call.future(nothing()) for _ in range(streams - len(under_way))]
                ended.wait(0.5)
            for one in under_way:
                one.cancel()

    sizes = [min(_STREAMS_OF_A_CONNECTION, count - at) for at in range(0, count, _STREAMS_OF_A_CONNECTION)]
    threads = [threading.Thread(target=keep, args=(size,)) for size in sizes]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()


@contextmanager
def silent_connections(endpoint: str, count: int, drip: bytes = b"") -> Iterator[None]:
    """So many connections that say nothing, or each a byte of `drip` every tenth of a second; made anew when they are closed."""
    host, _, port = endpoint.rpartition(":")
    ended = threading.Event()

    def keep() -> None:
        found: list[tuple[socket.socket, Iterator[int]]] = []
        while not ended.is_set():
            with suppress(OSError):
                while len(found) < count and not ended.is_set():
                    connection = socket.create_connection((host, int(port)), timeout=5)
                    connection.setblocking(False)
                    found.append((connection, iter(drip)))
            found = [one for one in found if _says_more(*one)]
            ended.wait(0.1)
        for connection, _ in found:
            connection.close()

    thread = threading.Thread(target=keep)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _says_more(connection: socket.socket, rest: Iterator[int]) -> bool:
    """Send one more byte, if there is one; False where the connection is over."""
    try:
        if (byte := next(rest, None)) is not None:
            connection.send(bytes((byte,)))
        while connection.recv(4096):
            pass
    except BlockingIOError:
        return True
    except OSError:
        pass
    connection.close()
    return False


def crowded(endpoint: str, who: str, seconds: float) -> Outcome:
    """Send ten requests a second, ask for the health as often, connect once more; tell how long all of it took."""
    load = Load(endpoint, Requests(SPANS), pause=0.1)
    load.start()
    asked: list[float] = []
    with grpc.insecure_channel(endpoint, [("grpc.use_local_subchannel_pool", 1)]) as channel:
        check = health_pb2_grpc.HealthStub(channel).Check
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            asked.append(_seconds(lambda: check(health_pb2.HealthCheckRequest(service="alive"), timeout=30)))
            time.sleep(0.1)
    load.stop()
    new = _seconds(lambda: wait_for_port(endpoint))
    took = load.seconds or [float("inf")]
    return Outcome(
        who,
        len(load.acknowledged),
        dict(load.refused),
        percentile(took, 0.5),
        percentile(took, 0.99),
        max(took),
        max(asked),
        new,
    )


def _seconds(call: Callable[[], object]) -> float:
    began = time.monotonic()
    call()
    return time.monotonic() - began


def crowd(folder: Path, *, streams: int, slow: int, connections: int, seconds: float) -> list[Outcome]:
    """Have each of these crowds in turn, and none first."""
    found = []
    with sink() as peer, Program(folder, peer.endpoint, storage=False) as program:
        program.start()
        program.wait_until_up()
        crowds: dict[str, AbstractContextManager[object]] = {
            "nobody": nullcontext(),
            f"{streams} silent streams": silent_streams(program.endpoint, streams),
            f"{slow} clients, a byte at a time": silent_connections(program.endpoint, slow, _PREFACE + _SETTINGS * 100),
            f"{connections} connections": silent_connections(program.endpoint, connections),
        }
        for who, crowd_of_them in crowds.items():
            with crowd_of_them:
                time.sleep(min(3.0, seconds / 3))
                found.append(crowded(program.endpoint, who, seconds))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=500)
    parser.add_argument("--slow", type=int, default=200)
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=30)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for outcome in crowd(
            Path(folder),
            streams=given.streams,
            slow=given.slow,
            connections=given.connections,
            seconds=given.seconds,
        ):
            print(outcome)  # noqa: T201 - a program that prints


if __name__ == "__main__":
    main()
