"""`milvus-otel health`: what a container's health check is told."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import TYPE_CHECKING

import grpc
import pytest
from click.testing import CliRunner, Result
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from milvus_otel_processor.cli.health import command

if TYPE_CHECKING:
    from collections.abc import Iterator

NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def ask(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments)


@pytest.fixture
def servicer() -> health.HealthServicer:
    servicer = health.HealthServicer()
    servicer.set("", health_pb2.HealthCheckResponse.SERVING)
    return servicer


@pytest.fixture
def endpoint(servicer: health.HealthServicer) -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(1))
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(0).wait()


@pytest.fixture
def free_endpoint() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture
def collector(request: pytest.FixtureRequest) -> Iterator[str]:
    class Health(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(request.param)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Health) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def _proxy_that_is_away(monkeypatch: pytest.MonkeyPatch, free_endpoint: str) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "grpc_proxy"):
        monkeypatch.setenv(name, f"http://{free_endpoint}")
    for name in ("no_proxy", "NO_PROXY", "no_grpc_proxy"):
        monkeypatch.delenv(name, raising=False)


def test_a_serving_processor_is_healthy_and_nothing_is_said(endpoint: str) -> None:
    result = ask("--endpoint", endpoint)
    assert (result.exit_code, result.output) == (0, "")


def test_a_stopping_processor_is_not_healthy(endpoint: str, servicer: health.HealthServicer) -> None:
    servicer.set("", NOT_SERVING)
    result = ask("--endpoint", endpoint)
    assert (result.exit_code, result.output) == (1, f"{endpoint} is not healthy: its status is NOT_SERVING\n")


def test_an_endpoint_where_nothing_listens_is_one_line_and_status_1(free_endpoint: str) -> None:
    result = ask("--endpoint", free_endpoint)
    assert result.exit_code == 1
    assert result.output.startswith(f"{free_endpoint} is not healthy: UNAVAILABLE")
    assert result.output.count("\n") == 1


@pytest.mark.parametrize("collector", [200], indirect=True)
def test_a_collector_that_answers_is_healthy(collector: str) -> None:
    assert ask("--endpoint", collector).exit_code == 0


@pytest.mark.parametrize("collector", [503], indirect=True)
def test_a_collector_that_says_no_is_not_healthy(collector: str) -> None:
    result = ask("--endpoint", collector)
    assert (result.exit_code, result.output) == (
        1,
        f"{collector} is not healthy: it answered 503 Service Unavailable\n",
    )


def test_a_collector_that_is_not_there_is_one_line_and_status_1(free_endpoint: str) -> None:
    result = ask("--endpoint", f"http://{free_endpoint}")
    assert result.exit_code == 1
    assert result.output.count("\n") == 1
    assert result.output == f"http://{free_endpoint} is not healthy: Connection refused\n"


@pytest.mark.parametrize("collector", [200], indirect=True)
@pytest.mark.usefixtures("_proxy_that_is_away")
def test_no_proxy_of_the_environment_stands_between_neighbours(endpoint: str, collector: str) -> None:
    for one in (endpoint, collector):
        result = ask("--endpoint", one)
        assert (result.exit_code, result.output) == (0, "")


def test_rules_that_are_broken_are_said_and_it_is_healthy_nevertheless(
    servicer: health.HealthServicer, endpoint: str
) -> None:
    servicer.set("rules", NOT_SERVING)
    result = ask("--endpoint", endpoint)
    assert result.exit_code == 0
    assert "is healthy, and goes on with older rules: those that were saved last are broken" in result.stderr
    servicer.set("rules", health_pb2.HealthCheckResponse.SERVING)
    assert ask("--endpoint", endpoint).stderr == ""


def test_a_server_that_knows_nothing_of_rules_is_healthy_without_a_word(endpoint: str) -> None:
    result = ask("--endpoint", endpoint)
    assert (result.exit_code, result.stderr) == (0, "")
