"""A hundred pages that are open, and strangers at the door: the pipeline goes on, and nothing grows."""

import asyncio
import socket
from contextlib import suppress
from random import Random
from threading import Event, Thread, active_count

import pytest
from milvus_otel_processor.web import connection
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs

from tests.peers.waiting import wait_until
from tests.support.harness import ERRORS, assert_accounted
from tests.support.http import ask
from tests.support.page import RULES, SLOW, Shown, rules, shown
from tests.support.spans import encoded, span

PAGES = 100
ROUNDS = 3
REQUESTS = 60


async def _one_page(host: str, port: int) -> list[bytes]:
    """Ask as an open page does, over one connection; return the statuses."""
    statuses = []
    reader, writer = await asyncio.open_connection(host, port)
    for _ in range(ROUNDS):
        for path in ("now", "decisions", "rules"):
            writer.write(f"GET /api/v1/{path} HTTP/1.1\r\nhost: {host}:{port}\r\n\r\n".encode())
            statuses.append((await reader.readline()).split()[1])
            size = 0
            while (line := await reader.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    size = int(line.split(b":")[1])
            await reader.readexactly(size)
    writer.close()
    return statuses


async def _pages(host: str, port: int) -> list[bytes]:
    found = await asyncio.gather(*(_one_page(host, port) for _ in range(PAGES)))
    return [status for statuses in found for status in statuses]


def _address(page: Shown) -> tuple[str, int]:
    host, _, port = page.url.removeprefix("http://").partition(":")
    return host, int(port)


def _sent(page: Shown) -> None:
    for number in range(REQUESTS):
        page.running.send(encoded(span(1000 + number, 1, end_ms=900), span(1000 + number, 2, 1)))


def test_a_hundred_open_pages_do_not_disturb_the_pipeline() -> None:
    with shown(rules(ERRORS, SLOW)) as page:
        threads = active_count()
        sender = Thread(target=_sent, args=[page])
        sender.start()
        statuses = asyncio.run(_pages(*_address(page)))
        most = active_count()
        sender.join()
        service = page.running.service
        wait_until(lambda: service.telemetry.snapshot().exported_spans == 2 * REQUESTS, "all that was sent")
        assert_accounted(service.telemetry.snapshot())
    assert len(statuses) == PAGES * ROUNDS * 3
    assert set(statuses) <= {b"200", b"503"}  # too many at once are told to ask again
    assert statuses.count(b"200") > len(statuses) / 3
    assert most <= threads + 4  # the sender, and the one thread that answers


def _strange(random: Random) -> bytes:
    texts = (
        b"GET /api/v1/traces/" + random.randbytes(40) + b" HTTP/1.1\r\n\r\n",
        b"POST /api/v1/try HTTP/1.1\r\nhost: localhost\r\ncontent-length: 999999999\r\n\r\n" + random.randbytes(3000),
        b"POST /api/v1/try HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nffffffff\r\n"
        + random.randbytes(3000),
        b"GET /page/../../../../etc/passwd HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET /page/%2e%2e%2f%2e%2e%2fapi.py HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: localhost\r\n" + b"x: y\r\n" * 20_000,
        b"\x16\x03\x01" + random.randbytes(200),
        random.randbytes(500) + b"\r\n\r\n",
        b"GET /api/v1/decisions?limit=1e309&min_ms=-1 HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"POST /api/v1/validate HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\n\r\n" + b"[[[[[",
        b"GET /api/v1/now HTTP/1.1\r\nhost: localhost\r\n\r\n" * 50,
    )
    return random.choice(texts)


def test_hostile_requests_do_not_disturb_the_pipeline_and_no_file_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "READ_SECONDS", 0.5)  # some of them never end
    random = Random(5)
    with shown(rules(ERRORS, SLOW)) as page:
        address = _address(page)
        answers = []
        for number in range(100):
            with suppress(OSError), socket.create_connection(address, timeout=20) as client:
                client.sendall(_strange(random))
                if number % 2:
                    client.settimeout(20)
                    answers.append(client.recv(65536))
            if number % 25 == 0:
                page.send(encoded(span(1 + number, 1, end_ms=900)))
        assert not any(b"root:" in answer or b"import annotations" in answer for answer in answers)
        assert page.get("/now").status == 200
        service = page.running.service
        wait_until(lambda: service.telemetry.snapshot().exported_spans == 4, "all that was sent")
        assert_accounted(service.telemetry.snapshot())


def test_who_opens_connections_and_says_nothing_stays_below_the_bound() -> None:
    with shown(rules(ERRORS, SLOW)) as page:
        clients = [socket.create_connection(_address(page)) for _ in range(connection.MOST + 50)]
        try:
            page.send(encoded(span(1, 1, end_ms=900)))
            assert page.get("/now").status == 200
            server = page.running.service._http._server
            assert server is not None
            assert len(server.server_state.connections) <= connection.MOST
        finally:
            for client in clients:
                client.close()


def test_trials_one_after_the_other_do_not_hold_decisions_up() -> None:
    with shown(rules(ERRORS, SLOW)) as page:
        page.send(*(encoded(*(span(1 + trace, 1 + place, place) for place in range(20))) for trace in range(200)))
        ended = Event()

        def try_again() -> None:
            while not ended.is_set():
                ask(f"{page.url}/api/v1/try", RULES.encode())

        trier = Thread(target=try_again)
        trier.start()
        try:
            page.send(*(encoded(span(5000 + number, 1, end_ms=900)) for number in range(20)))
        finally:
            ended.set()
            trier.join()
        wait_until(lambda: page.running.service.telemetry.snapshot().exported_spans == 20, "all that was sent")


@pytest.mark.parametrize("path", ["traces", "access-log"])
def test_a_capture_whose_reader_leaves_early_ends_and_says_nothing(path: str, caplog: pytest.LogCaptureFixture) -> None:
    with shown() as page:
        assert page.running.service._witness is not None
        recent = page.running.service._witness.recent
        line = ExportLogsServiceRequest(
            resource_logs=[
                ResourceLogs(scope_logs=[ScopeLogs(log_records=[LogRecord(body=AnyValue(string_value="a line"))])])
            ]
        ).SerializeToString()
        for number in range(1, 1500):
            recent.add(encoded(span(number, 1)), is_access_log=False)
            recent.add(line, is_access_log=True)
        host, port = _address(page)
        for _ in range(5):
            with socket.create_connection((host, port)) as reader:
                reader.sendall(
                    f"POST /api/v1/capture/{path}?seconds=60 HTTP/1.1\r\nhost: {host}:{port}\r\n\r\n".encode()
                )
                assert reader.recv(300).startswith(b"HTTP/1.1 200")
            wait_until(lambda: not recent.followers, "the end of the capture")
    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []
