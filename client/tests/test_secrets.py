"""Marked secrets through every public method of pymilvus in every wrong way: none is in anything that is exported."""

from __future__ import annotations

import asyncio
import inspect
import logging
import warnings
from typing import TYPE_CHECKING, Any

import pymilvus
import pytest
from milvus_otel_client import MilvusInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pymilvus import Collection, CollectionSchema, DataType, FieldSchema, MilvusClient, Partition, connections, utility
from pymilvus.settings import Config

from client.tests.fake_milvus import PARROT, FakeMilvus
from client.tests.secret_values import COUNTS, MARKS, VECTOR, right_values, wrong_calls
from tests.client_e2e import sweep

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk.trace import ReadableSpan

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(300)]
_COLLECTIONS = ("c", PARROT)
_REPEATED = ("delete", "get", "insert", "query", "query_iterator", "search", "search_iterator", "upsert")
"""Methods whose data the parrot repeats; it is asked no others."""
_NOT_CALLED = {*sweep.NO_REQUEST, *sweep.UNTRACED, "optimize"}


class _Leaks:
    """Looks through all that is exported for the marks."""

    def __init__(self) -> None:
        self.provider = TracerProvider(shutdown_on_exit=False)
        self._spans = InMemorySpanExporter()
        self.provider.add_span_processor(SimpleSpanProcessor(self._spans))
        self.metrics = InMemoryMetricReader()
        self.meter_provider = MeterProvider([self.metrics], shutdown_on_exit=False)
        self.logs = _Records()
        self.found: list[str] = []
        self.calls = self.failures = self.spans = 0

    def look(self, label: str, error: BaseException | None) -> None:
        self.calls += 1
        self.failures += error is not None
        for span in self._spans.get_finished_spans():
            self.spans += 1
            told = _told_by(span)
            self.found += [f"{label}: {told}" for mark in MARKS if mark in told]
        self._spans.clear()

    def look_at_the_rest(self) -> None:
        metrics = self.metrics.get_metrics_data()
        told = metrics.to_json() if metrics else ""
        self.found += [f"metrics: {mark}" for mark in MARKS if mark in told]
        self.found += [f"log: {line}" for line in self.logs.lines for mark in MARKS if mark in line]


def _told_by(span: ReadableSpan) -> str:
    attributes = {name: value for name, value in (span.attributes or {}).items() if name not in COUNTS}
    return repr((span.name, attributes, span.status.description, [(e.name, e.attributes) for e in span.events]))


class _Records(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(logging.Formatter().format(record))


@pytest.fixture(scope="module")
def server() -> Iterator[FakeMilvus]:
    with FakeMilvus() as server:
        yield server


@pytest.fixture
def leaks() -> Iterator[_Leaks]:
    leaks = _Leaks()
    instrumentor = MilvusInstrumentor()
    instrumentor.instrument(tracer_provider=leaks.provider, meter_provider=leaks.meter_provider)
    loggers = [logging.getLogger("milvus_otel_client"), logging.getLogger("opentelemetry")]
    for logger in loggers:
        logger.addHandler(leaks.logs)
    level = logging.root.manager.disable
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL + 1)
    logging.getLogger("grpc").setLevel(logging.CRITICAL + 1)
    yield leaks
    logging.disable(level)
    for logger in loggers:
        logger.removeHandler(leaks.logs)
    instrumentor.uninstrument()
    leaks.provider.shutdown()


def _call(leaks: _Leaks, label: str, function: Any, arguments: dict[str, Any]) -> None:
    error: BaseException | None = None
    try:
        result = function(**arguments)
        if hasattr(result, "next"):  # an iterator: it asks when it is asked
            result.next()
        if hasattr(result, "result"):
            result.result()
    except Exception as raised:  # noqa: BLE001 - that they fail is what the sweep is for
        error = raised
    leaks.look(label, error)


def _check(leaks: _Leaks, at_least: int) -> None:
    leaks.look_at_the_rest()
    assert leaks.found == [], f"{len(leaks.found)} of {leaks.calls} calls"
    assert leaks.calls > at_least
    assert leaks.failures > at_least // 3
    assert leaks.spans > at_least // 3


def _methods(client: type, collection: str) -> list[str]:
    """The methods to call, for one collection."""
    names = [name for name in sweep.methods_of(client) if name not in _NOT_CALLED]
    return [name for name in names if collection != PARROT or name in _REPEATED]


@pytest.mark.parametrize("collection", _COLLECTIONS)
def test_no_secret_is_told_by_any_method_of_milvus_client(server: FakeMilvus, leaks: _Leaks, collection: str) -> None:
    client = MilvusClient(server.uri)
    for name in _methods(MilvusClient, collection):
        method = getattr(client, name)
        for label, arguments in wrong_calls(name, method, right_values(name, collection)):
            _call(leaks, label, method, arguments)
    client.close()
    _check(leaks, 800)


@pytest.mark.skipif(not hasattr(pymilvus, "AsyncMilvusClient"), reason="pymilvus 2.5.0 has no AsyncMilvusClient")
@pytest.mark.parametrize("collection", _COLLECTIONS)
def test_no_secret_is_told_by_any_method_of_async_milvus_client(
    server: FakeMilvus, leaks: _Leaks, collection: str
) -> None:
    async def sweep_all() -> None:
        client = pymilvus.AsyncMilvusClient(server.uri)
        for name in _methods(pymilvus.AsyncMilvusClient, collection):
            method = getattr(client, name)
            for label, arguments in wrong_calls(name, method, right_values(name, collection)):
                error: BaseException | None = None
                try:
                    await method(**arguments)
                except Exception as raised:  # noqa: BLE001
                    error = raised
                leaks.look(label, error)
        await client.close()

    asyncio.run(sweep_all())
    _check(leaks, 400)


@pytest.mark.parametrize("name", _COLLECTIONS)
def test_no_secret_is_told_by_the_orm(server: FakeMilvus, leaks: _Leaks, name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        connections.connect(uri=server.uri)
        collection = Collection(name)
        values: dict[str, Any] = right_values("", name) | {"param": {"metric_type": "L2"}, "anns_field": "vector"}
        asked = [each for each, _ in _public(Collection) if name != PARROT or each in _REPEATED]
        for method_name in asked:
            method = getattr(collection, method_name)
            right = values | ({"data": [[1], [VECTOR]]} if method_name in ("insert", "upsert") else {"data": [VECTOR]})
            for label, arguments in wrong_calls(method_name, method, right | {"expr": "id > 0"}):
                _call(leaks, f"Collection.{label}", method, arguments)
                if method_name in ("search", "insert", "upsert", "delete"):
                    _call(leaks, f"Collection.{label}, _async", method, arguments | {"_async": True})
        for method_name, method in _public(utility) if name != PARROT else ():
            if not method_name.startswith("wait_for") and inspect.isfunction(method):
                for label, arguments in wrong_calls(method_name, method, values):
                    _call(leaks, f"utility.{label}", method, arguments)
        for method_name, function in (("Collection", Collection), ("Partition", Partition)):
            for label, arguments in wrong_calls(
                method_name, function.__init__, {"name": name, "collection": collection}
            ):
                _call(leaks, label, function, arguments)
        connections.disconnect("default")
    _check(leaks, 800)


def _public(owner: Any) -> list[tuple[str, Any]]:
    members = inspect.getmembers(owner, callable)
    return [(name, each) for name, each in members if not name.startswith("_") and not inspect.isclass(each)]


def test_no_secret_is_told_by_a_connection_that_cannot_be_opened(
    leaks: _Leaks, monkeypatch: pytest.MonkeyPatch
) -> None:
    # pymilvus 2.5 takes this in the place of a timeout that is no number, and with its 10 s each such call would wait
    monkeypatch.setattr(Config, "MILVUS_CONN_TIMEOUT", 0.1)
    right: dict[str, Any] = {"uri": "http://127.0.0.1:1", "timeout": 0.1}
    ways = [
        ("MilvusClient", MilvusClient.__init__, MilvusClient),
        ("connect", connections.connect, connections.connect),
    ]
    if hasattr(pymilvus, "AsyncMilvusClient"):
        ways.append(("AsyncMilvusClient", pymilvus.AsyncMilvusClient.__init__, pymilvus.AsyncMilvusClient))
    for name, method, function in ways:
        for label, arguments in wrong_calls(name, method, right):
            uri = f"http://{MARKS[0]}:{MARKS[1]}@127.0.0.1:1"
            _call(leaks, label, function, {"uri": uri, "timeout": 0.1} | arguments)
    _check(leaks, 100)


def test_no_secret_is_told_by_a_schema_that_cannot_be_made(server: FakeMilvus, leaks: _Leaks) -> None:
    client = MilvusClient(server.uri)
    fields = [FieldSchema("id", DataType.INT64, is_primary=True), FieldSchema("vector", DataType.FLOAT_VECTOR, dim=4)]
    for label, arguments in wrong_calls("FieldSchema", FieldSchema.__init__, {"name": "x", "dtype": DataType.INT64}):

        def create(**given: Any) -> None:
            client.create_collection("new", schema=CollectionSchema([*fields, FieldSchema(**given)]))

        _call(leaks, label, create, arguments)
    client.close()
    leaks.look_at_the_rest()
    assert leaks.found == []
