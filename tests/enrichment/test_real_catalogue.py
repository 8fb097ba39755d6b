"""The catalogue with a real Milvus: passwords, a Milvus that is slow, one that stops and starts."""

from __future__ import annotations

import logging
import re
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import grpc
import pytest
from milvus_otel_processor.demo.milvus import EmbeddedMilvus, MilvusSettings
from milvus_otel_processor.enrichment.catalogue import milvus as catalogue
from milvus_otel_processor.enrichment.catalogue.milvus import Connection, Reader, Refusal
from pymilvus import DataType, MilvusClient, MilvusException

from tests.enrichment.stack import service
from tests.peers.otlp_sink import METHOD, otlp_sink
from tests.peers.process import free_port
from tests.peers.waiting import wait_until
from tests.support.enrichment import SERVER, line, logs, served, span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from milvus_otel_processor.enrichment.catalogue.collection import Collection

OPERATIONS = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
ROOT = "root:Milvus"
SLOW = 1.5
"""Seconds by which each answer of a slow Milvus is late; a span that waited for one would be as late."""

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def milvus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedMilvus]:
    """A Milvus that asks for passwords, with two databases of which each holds `things`."""
    settings = MilvusSettings(authorization=True, sample_fraction=0)
    with EmbeddedMilvus(settings, tmp_path_factory.mktemp("milvus")) as server:
        client = MilvusClient(server.uri, token=ROOT)
        client.create_database("shop")
        schema = client.create_schema(auto_id=False, enable_dynamic_field=True, description="what we have")
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("embedding", DataType.FLOAT_VECTOR, dim=8)
        index = client.prepare_index_params()
        index.add_index("embedding", index_type="HNSW", metric_type="COSINE", params={"M": 8, "efConstruction": 64})
        client.create_collection("things", schema=schema, index_params=index, num_shards=2, consistency_level="Bounded")
        client.create_alias("things", "current")
        client.create_partition("things", "old")
        client.close()
        shop = MilvusClient(server.uri, token=ROOT, db_name="shop")
        shop.create_collection("things", dimension=4)
        shop.close()
        yield server


def target(uri: str) -> str:
    return uri.removeprefix("http://")


@contextmanager
def reading(uri: str, authorization: str = ROOT, timeout: float = 5.0) -> Iterator[Reader]:
    with closing(Reader(Connection(target(uri), tls=False, authorization=authorization, timeout=timeout))) as reader:
        yield reader


def described(reader: Reader, namespace: str, name: str) -> Collection:
    found = reader.describe(namespace, name)
    assert found is not None
    return found


def test_everything_about_a_collection_is_read(milvus: EmbeddedMilvus) -> None:
    with reading(milvus.uri) as reader:
        assert sorted(reader.namespaces()) == ["default", "shop"]
        (listed,) = reader.collections("default").items()
        things = described(reader, "default", "things")
        in_shop = described(reader, "shop", "things")
    assert listed == (things.id, "things")
    has = things.attributes()
    assert has == {
        "milvus.collection.id": str(things.id),
        "milvus.collection.aliases": ("current",),
        "milvus.collection.description": "what we have",
        "milvus.collection.shard_count": 2,
        "milvus.collection.partition_count": 2,
        "milvus.collection.consistency_level": "Bounded",
        "milvus.collection.dynamic_field": True,
        "milvus.collection.row_count": 0,
        "milvus.collection.load_state": "Loaded",
        "milvus.collection.replica_count": 1,
        "milvus.vector.field_names": ["embedding"],
        "milvus.vector.dimensions": [8],
        "milvus.vector.index_types": ["HNSW"],
        "milvus.vector.metric_types": ["COSINE"],
        "milvus.catalogue.stale": None,
    }
    assert in_shop.namespace == "shop"
    assert in_shop.id != things.id


def test_an_alias_is_described_as_its_collection_and_what_is_not_there_as_none(milvus: EmbeddedMilvus) -> None:
    with reading(milvus.uri) as reader:
        assert described(reader, "default", "current").name == "things"
        assert reader.describe("default", "nothing") is None


def test_a_user_with_the_role_of_the_documents_sees_what_root_sees_and_may_change_nothing(
    milvus: EmbeddedMilvus,
) -> None:
    (snippet,) = re.findall(r"^```python\n(.*?create_role.*?)^```", OPERATIONS, re.MULTILINE | re.DOTALL)
    program = snippet.replace("http://localhost:19530", milvus.uri).replace("a password", "a passw0rd")
    # The snippet's calls are those of Milvus 2.5 and newer. An older one has the same privileges behind another call.
    exec(program.replace("client.grant_privilege_v2(", "granted(client, "), {"granted": _granted_before_2_5})
    with reading(milvus.uri) as root, reading(milvus.uri, "milvus_otel:a passw0rd") as reader:
        wait_until(lambda: reader.describe("default", "things"), "the role to be in force", 60)
        assert reader.namespaces() == ["default"]  # 2.3 has a privilege for that: ListDatabases
        assert reader.collections("default") == root.collections("default")
        seen, whole = (described(one, "default", "things").attributes() for one in (reader, root))
        assert seen == {**whole, "milvus.collection.load_state": None}  # 2.3 wants Load for it
    client = MilvusClient(milvus.uri, user="milvus_otel", password="a passw0rd")
    changes: list[Callable[[], object]] = [
        lambda: client.insert("things", {"id": 1, "embedding": [0.0] * 8}),
        lambda: client.drop_collection("things"),
        lambda: client.query("things", "id > 0"),
        lambda: client.create_collection("mine", dimension=4),
    ]
    for change in changes:
        with pytest.raises((MilvusException, grpc.RpcError), match=r"(?i)permission"):
            change()
    client.close()


def _granted_before_2_5(client: MilvusClient, role: str, privilege: str, *, collection_name: str, db_name: str) -> None:
    # DescribeCollection belongs to no collection there.
    kind = "Global" if privilege == "DescribeCollection" else "Collection"
    client.grant_privilege(role, kind, privilege, collection_name, db_name=db_name)


@pytest.mark.parametrize("authorization", ["", "root:wrong", "nobody:Milvus"])
def test_a_wrong_password_is_told_as_such(milvus: EmbeddedMilvus, authorization: str) -> None:
    with reading(milvus.uri, authorization) as reader, pytest.raises(Refusal) as told:
        reader.namespaces()
    assert told.value.reason == "unauthenticated"


def test_without_milvus_the_call_ends_in_its_time() -> None:
    with reading(f"http://127.0.0.1:{free_port()}", timeout=0.5) as reader, pytest.raises(Refusal) as told:
        reader.namespaces()
    assert told.value.reason in ("unavailable", "deadline_exceeded")


def test_no_more_of_pymilvus_is_imported_than_its_messages_and_all_of_it_can_be_later() -> None:
    program = """
import sys
from milvus_otel_processor.enrichment.catalogue import milvus as catalogue
from milvus_otel_processor.enrichment.catalogue.milvus import Connection, Reader
Reader(Connection("127.0.0.1:1", tls=False, authorization="", timeout=1.0)).close()
assert not {"pymilvus", "pandas", "numpy"} & sys.modules.keys(), sys.modules.keys()
from pymilvus import MilvusClient
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


def test_without_pymilvus_it_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "find_spec", lambda _: None)
    monkeypatch.setattr(catalogue, "_GENERATED", "nowhere.pymilvus")
    with pytest.raises(Refusal, match=r"install it, `pip install 'pymilvus>=2\.5'`") as told:
        Reader(Connection("127.0.0.1:1", tls=False, authorization="", timeout=1.0))
    assert told.value.reason == "no_pymilvus"


class Proxy:
    """A TCP proxy on a port of its own; it holds back for `delay` seconds what Milvus answers."""

    def __init__(self, milvus: EmbeddedMilvus, delay: float) -> None:
        self._milvus = milvus
        self._delay = delay
        self._over = threading.Event()
        self._server = socket.create_server(("127.0.0.1", 0))
        self._sockets = [self._server]
        self._threads: list[threading.Thread] = []
        self.uri = f"http://127.0.0.1:{self._server.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._go(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join(5)

    def _go(self, what: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=what, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                one, _ = self._server.accept()
            except OSError:
                return
            self._sockets.append(one)
            host, port = target(self._milvus.uri).split(":")
            try:
                other = socket.create_connection((host, int(port)))
            except OSError:
                one.close()
                continue
            self._sockets.append(other)
            self._go(self._pump, one, other, 0.0)
            self._go(self._pump, other, one, self._delay)

    def _pump(self, source: socket.socket, sink: socket.socket, pause: float) -> None:
        with suppress(OSError):
            while not self._over.is_set() and (data := source.recv(65536)):
                self._over.wait(pause)
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)


def send(endpoint: str, number: int) -> None:
    """Send a request's trace and its line."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    trace_id = number.to_bytes(16, "big")
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    scope.spans.extend([served(1, "Search", trace_id=trace_id), span(2, "SearchTask", parent=1, trace_id=trace_id)])
    of_logs = METHOD.replace("trace", "logs").replace("Trace", "Logs")
    with grpc.insecure_channel(endpoint) as channel:
        channel.unary_unary(of_logs)(logs(line("Search", "current", trace_id=trace_id.hex())), timeout=5)
        channel.unary_unary(METHOD)(request.SerializeToString(), timeout=5)


def names(spans: Any) -> set[str]:
    return {
        pair.value.string_value
        for one in spans
        if one.kind == SERVER
        for pair in one.attributes
        if pair.key == "db.collection.name"
    }


def test_a_slow_milvus_holds_no_span_back_and_is_read_in_the_end(milvus: EmbeddedMilvus, tmp_path: Any) -> None:
    with ExitStack() as parts:
        sink = parts.enter_context(otlp_sink())
        uri = parts.enter_context(Proxy(milvus, SLOW)).uri
        processor = service(
            tmp_path, sink, uri=uri, token=ROOT, wait_duration="100ms", catalogue={"miss_interval": "100ms"}
        )
        processor.start()
        parts.callback(processor.stop, 5)
        began = time.monotonic()
        send(processor.endpoint, 1)
        sink.wait_for(lambda one: len(one.spans()) == 2)
        assert time.monotonic() - began < SLOW
        assert names(sink.spans()) == {"current"}  # from the access log; whose alias that is is not known yet

        def resolved() -> bool:
            send(processor.endpoint, time.monotonic_ns())
            return "things" in names(sink.spans())

        wait_until(resolved, "the alias to be resolved", 40, interval=0.5)


def test_a_wrong_password_is_one_line_in_the_log_and_a_count(
    milvus: EmbeddedMilvus, tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with otlp_sink() as sink:
        processor = service(
            tmp_path, sink, uri=milvus.uri, user="root", password="wrong", catalogue={"max_interval": "100ms"}
        )
        processor.start()
        try:
            counts = processor.telemetry
            wait_until(lambda: counts.snapshot().catalogue_refreshes.get("unauthenticated", 0) >= 3, "three failures")
        finally:
            processor.stop(5)
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(told) == 1
    assert "UNAUTHENTICATED" in told[0]
    assert "wrong" not in told[0]


def test_milvus_stopped_and_started_again(milvus: EmbeddedMilvus, tmp_path: Any) -> None:
    with ExitStack() as parts:
        sink = parts.enter_context(otlp_sink())
        catalogue = {"interval": "200ms", "miss_interval": "100ms", "max_interval": "500ms", "stale_after": "1s"}
        uri = parts.enter_context(Proxy(milvus, 0.0)).uri  # Milvus comes back on another port
        processor = service(tmp_path, sink, uri=uri, token=ROOT, wait_duration="100ms", catalogue=catalogue)
        processor.start()
        parts.callback(processor.stop, 5)
        sent = iter(range(1, 10_000))

        def latest() -> dict[str, Any]:
            number = next(sent)
            send(processor.endpoint, number)
            trace_id = number.to_bytes(16, "big")
            sink.wait_for(lambda one: trace_id.hex() in one.trace_ids())
            (own,) = (one for one in sink.spans() if one.trace_id == trace_id and one.kind == SERVER)
            return {pair.key: pair.value for pair in own.attributes}

        wait_until(lambda: "milvus.collection.id" in latest(), "the catalogue to be read")
        milvus.stop()
        wait_until(lambda: "milvus.catalogue.stale" in latest(), "the facts to become stale")
        assert latest()["db.collection.name"].string_value == "things"
        milvus.start()
        wait_until(
            lambda: "milvus.catalogue.stale" not in latest(), "the facts to be confirmed again", 60, interval=0.5
        )
        assert latest()["db.collection.name"].string_value == "things"
