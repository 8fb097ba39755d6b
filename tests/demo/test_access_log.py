"""The access log reaches the processor, also where that is not there at first, and all of it before the end."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from milvus_otel_processor.demo import access_log
from milvus_otel_processor.demo.access_log import EXPORT_METHOD, Forwarder, forwarded
from milvus_otel_processor.demo.tail import Tail
from milvus_otel_processor.demo.wheel import free_ports
from milvus_otel_processor.enrichment.settings import MilvusSettings
from milvus_otel_processor.settings import parse_duration
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from ruamel.yaml import YAML

from tests.demo.test_tail import COLLECTOR
from tests.peers.waiting import wait_until
from tests.support.clock import Clock
from tests.support.enrichment import line
from tests.support.processor import Configuration, Running, exporter_settings, receiver_settings, running_processor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIRST, SECOND, THIRD = map(line, ("Search", "Query", "Insert"))


class Peer:
    """Takes requests, or refuses them with `error`."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.calls = 0
        self.bodies: list[list[str]] = []

    def export(self, request: bytes) -> None:
        self.calls += 1
        if self.error is not None:
            raise self.error
        [of_resource] = ExportLogsServiceRequest.FromString(request).resource_logs
        [of_scope] = of_resource.scope_logs
        self.bodies.append([record.body.string_value for record in of_scope.log_records])


def append(path: Path, *lines: str) -> None:
    with path.open("a") as file:
        file.writelines(text + "\n" for text in lines)


@pytest.fixture
def peer() -> Peer:
    return Peer()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "access.log"


@pytest.fixture
def forwarder(path: Path, peer: Peer) -> Iterator[Forwarder]:
    tail = Tail(path, Clock())
    yield Forwarder(tail, peer.export)
    tail.close()


def test_each_record_is_the_body_of_a_log_record(forwarder: Forwarder, path: Path, peer: Peer) -> None:
    append(path, FIRST, SECOND, THIRD)
    forwarder.forward()
    assert peer.bodies == [[FIRST.strip(), SECOND.strip()]]


def test_nothing_new_is_not_sent(forwarder: Forwarder, path: Path, peer: Peer) -> None:
    forwarder.forward()
    append(path, FIRST)
    forwarder.forward()
    assert peer.calls == 0


@pytest.mark.parametrize("error", [grpc.RpcError("unavailable"), ValueError("Cannot invoke RPC on closed channel!")])
def test_what_is_not_taken_is_sent_again_before_more_is_read(
    forwarder: Forwarder, path: Path, peer: Peer, error: Exception
) -> None:
    peer.error = error
    append(path, FIRST, SECOND)
    forwarder.forward()
    append(path, THIRD, THIRD)
    forwarder.forward()
    peer.error = None
    forwarder.forward()
    forwarder.forward()
    assert peer.bodies == [[FIRST.strip()], [SECOND.strip(), THIRD.strip()]]
    assert peer.calls == 4


def test_at_the_end_all_is_sent_the_last_record_as_well(forwarder: Forwarder, path: Path, peer: Peer) -> None:
    peer.error = grpc.RpcError("unavailable")
    append(path, FIRST, SECOND)
    forwarder.forward()
    peer.error = None
    append(path, THIRD)
    forwarder.finish()
    assert peer.bodies == [[FIRST.strip()], [SECOND.strip()], [THIRD.strip()]]


def test_at_the_end_a_processor_that_does_not_answer_is_asked_once(
    forwarder: Forwarder, path: Path, peer: Peer
) -> None:
    peer.error = grpc.RpcError("unavailable")
    append(path, FIRST, SECOND)
    forwarder.finish()
    assert peer.calls == 1


def test_lines_reach_a_processor_that_was_not_there_when_they_were_written(path: Path) -> None:
    endpoint = f"127.0.0.1:{free_ports(['receiver'])['receiver']}"
    with forwarded(path, endpoint):
        append(path, FIRST, SECOND)
        with processor(endpoint) as running:
            wait_until(lambda: lines(running) == {"received": 2}, "both lines have come")


def test_when_the_block_is_left_all_that_is_written_has_been_sent(path: Path) -> None:
    with processor("127.0.0.1:0") as running:
        with forwarded(path, running.service.endpoint):
            append(path, FIRST, SECOND, THIRD)
        assert lines(running) == {"received": 3}
    assert not threads()


def test_after_an_exception_nothing_is_waited_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_log, "_EXPORT_SECONDS", 3600.0)
    append(path, FIRST, SECOND)
    with silent_peer() as (endpoint, called):
        with suppress(KeyboardInterrupt), forwarded(path, endpoint):
            assert called.wait(30)
            raise KeyboardInterrupt
        assert not threads()


def test_the_log_is_looked_at_as_often_as_by_the_collector() -> None:
    settings: dict[str, Any] = YAML(typ="safe").load(COLLECTOR)["receivers"]["file_log"]
    assert parse_duration(settings["poll_interval"]) == access_log._POLL_INTERVAL_SECONDS


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "access-log"]


@contextmanager
def processor(endpoint: str) -> Iterator[Running]:
    milvus = MilvusSettings.model_validate({"uri": "http://127.0.0.1:1", "catalogue": {"enabled": False}})
    with running_processor(
        Configuration(receiver_settings(endpoint), exporter_settings("127.0.0.1:1"), milvus=milvus)
    ) as running:
        yield running


def lines(running: Running) -> dict[str, int]:
    return running.service.telemetry.snapshot().access_log_lines


@contextmanager
def silent_peer() -> Iterator[tuple[str, threading.Event]]:
    """A receiver that takes calls and answers none; the event tells that there was one."""
    called, over = threading.Event(), threading.Event()

    def export(request: bytes, context: grpc.ServicerContext) -> bytes:
        del request, context
        called.set()
        over.wait()
        return b""

    service, method = EXPORT_METHOD.strip("/").split("/")
    handlers = {method: grpc.unary_unary_rpc_method_handler(export)}
    server = grpc.server(ThreadPoolExecutor(1), handlers=[grpc.method_handlers_generic_handler(service, handlers)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}", called
    finally:
        over.set()
        server.stop(0).wait()
