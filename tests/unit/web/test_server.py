"""The HTTP server: what strangers can do to it."""

import asyncio
import gc
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from threading import Event, Thread, active_count
from time import monotonic

import pytest
from milvus_otel_processor.telemetry.counters import Snapshot
from milvus_otel_processor.telemetry.family import Family
from milvus_otel_processor.telemetry.own import own_metrics
from milvus_otel_processor.web import connection
from milvus_otel_processor.web.health import health_routes
from milvus_otel_processor.web.metrics import metrics_routes
from milvus_otel_processor.web.server import HttpServer
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.peers.waiting import wait_until
from tests.support.http import ask, served

METRICS = own_metrics(Snapshot)


def opened(url: str) -> socket.socket:
    host, _, port = url.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)))


def is_closed(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        return client.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def test_metrics_and_health_are_served_at_one_address() -> None:
    with served([*health_routes(lambda: None), *metrics_routes(METRICS)]) as url:
        assert b"milvus_otel_exporter_sent_spans_total 0.0" in ask(f"{url}/metrics").body
        assert b"milvus_otel_exporter_sent_spans_total 0.0" in ask(f"{url}/").body
        assert ask(f"{url}/health").json() == {"status": "ready"}
        assert ask(f"{url}/health/alive").json() == {"status": "alive"}
        assert ask(f"{url}/nothing").status == 404
        assert ask(f"{url}/metrics", b"x").status == 405


def test_health_says_why_nothing_is_taken() -> None:
    with served(health_routes(lambda: None, lambda: False)) as url:
        answer = ask(f"{url}/health")
        assert (answer.status, answer.json()) == (200, {"status": "ready", "rules": "broken"})
    with served(health_routes(lambda: "the memory limit is reached")) as url:
        answer = ask(f"{url}/health")
        assert answer.status == 503
        assert answer.json() == {"status": "refusing", "reason": "the memory limit is reached"}
        assert ask(f"{url}/health/alive").status == 200


def test_what_is_listened_to_twice_is_one_socket_and_the_first_route_counts() -> None:
    async def page(_: Request) -> Response:
        return PlainTextResponse("the page")

    server = HttpServer(monotonic)
    host, port = server.listen("127.0.0.1", 0, [Route("/", page)])
    assert server.listen("localhost", port, metrics_routes(METRICS)) == (host, port)
    server.start()
    try:
        assert ask(f"http://{host}:{port}/").body == b"the page"
        assert ask(f"http://{host}:{port}/metrics").status == 200
    finally:
        server.stop()


def test_two_addresses_have_their_own_routes() -> None:
    server = HttpServer(monotonic)
    _, metrics = server.listen("127.0.0.1", 0, metrics_routes(METRICS))
    _, health = server.listen("127.0.0.1", 0, health_routes(lambda: None))
    server.start()
    try:
        assert ask(f"http://127.0.0.1:{metrics}/metrics").status == 200
        assert ask(f"http://127.0.0.1:{health}/metrics").status == 404
        assert ask(f"http://127.0.0.1:{health}/health").status == 200
    finally:
        server.stop()


def test_clients_that_say_nothing_or_never_end_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "READ_SECONDS", 0.5)
    with served(metrics_routes(METRICS)) as url:
        silent, slow = opened(url), opened(url)
        slow.sendall(b"GET /metrics HTTP/1.1\r\nhost:")
        with silent, slow:
            wait_until(lambda: is_closed(silent) and is_closed(slow), "the end of both connections")


def test_a_client_that_announces_a_body_and_does_not_send_it_is_let_go(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connection, "READ_SECONDS", 0.5)

    async def takes(request: Request) -> Response:
        return PlainTextResponse(str(len(await request.body())))

    with served([Route("/", takes, methods=["POST"])]) as url, opened(url) as client:
        client.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\nabc")
        wait_until(lambda: is_closed(client), "the end of the connection")
    assert caplog.text == ""


def test_a_client_that_does_not_take_its_answer_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "ANSWER_SECONDS", 0.5)

    async def endless(_: Request) -> Response:
        async def parts() -> AsyncIterator[bytes]:
            while True:
                yield bytes(1 << 20)
                await asyncio.sleep(0)

        return StreamingResponse(parts())

    with served([Route("/endless", endless), *health_routes(lambda: None)]) as url, opened(url) as client:
        client.sendall(b"GET /endless HTTP/1.1\r\nhost: x\r\n\r\n")
        assert client.recv(1)

        def ended() -> bool:
            try:
                client.sendall(b"x")
            except OSError:
                return True
            return False

        wait_until(ended, "the end of the connection")
        assert ask(f"{url}/health").status == 200


def test_idle_connections_cost_no_thread_and_the_longest_silent_one_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MOST", 20)
    with served(metrics_routes(METRICS)) as url:
        assert ask(f"{url}/metrics").status == 200
        threads = active_count()
        clients = [opened(url) for _ in range(60)]
        try:
            wait_until(lambda: sum(map(is_closed, clients)) >= 40, "forty connections that made room")
            assert ask(f"{url}/metrics").status == 200
            assert active_count() <= threads + 1
        finally:
            for client in clients:
                client.close()


def test_what_is_no_http_is_answered_and_closed() -> None:
    with served(metrics_routes(METRICS)) as url:
        for said in (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"GET /" + b"x" * 100_000):
            with opened(url) as client, suppress(ConnectionError):
                client.sendall(said)
                client.settimeout(20)
                assert client.recv(100).startswith((b"HTTP/1.1 400", b""))
        assert ask(f"{url}/metrics").status == 200


def test_an_answer_that_fails_is_logged_and_harms_no_other(caplog: pytest.LogCaptureFixture) -> None:
    async def fails(_: Request) -> Response:
        raise ZeroDivisionError

    with served([Route("/fails", fails), *health_routes(lambda: None)]) as url:
        assert ask(f"{url}/fails").status == 500
        assert ask(f"{url}/health").status == 200
    assert "answering a request failed: GET /fails" in caplog.text


def test_connections_and_requests_leave_no_cycles_behind() -> None:
    # The service turns Python's collector of cycles off: what only it could free would pile up.
    with served([*health_routes(lambda: None), *metrics_routes(METRICS)]) as url:

        def ask_all() -> None:
            for _ in range(40):
                ask(f"{url}/health")
                ask(f"{url}/metrics")
                opened(url).close()

        def left_behind() -> int:
            gc.collect()
            gc.disable()
            try:
                ask_all()
                return gc.collect()
            finally:
                gc.enable()

        ask_all()
        # More than once, because threads of earlier tests may end meanwhile.
        found = min(left_behind() for _ in range(3))
    assert found < 120, f"{found} objects that nothing but the collector frees, of 120 connections"


def test_health_answers_while_a_long_page_of_metrics_is_made() -> None:
    began, may_end = Event(), Event()

    def slow(_: bool) -> list[Family]:
        began.set()
        may_end.wait(60)
        return []

    with served([*health_routes(lambda: None), *metrics_routes(slow)]) as url:
        asking = Thread(target=ask, args=[f"{url}/metrics"])
        asking.start()
        try:
            assert began.wait(60)
            assert ask(f"{url}/health/alive").status == 200
        finally:
            may_end.set()
            asking.join(60)
