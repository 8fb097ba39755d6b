"""Sync, async, ORM and iterators against a real Milvus: attributes, and Milvus' spans below the client's."""

from __future__ import annotations

import asyncio
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from opentelemetry.trace import SpanKind
from pymilvus import AsyncMilvusClient, Collection, MilvusClient, connections

from tests.client_e2e.traces import Traces, attributes_of, is_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milvus_otel_client import MilvusInstrumentor
    from milvus_otel_processor.demo.milvus import EmbeddedMilvus
    from opentelemetry.sdk.trace import TracerProvider

VECTOR = [0.1, 0.2, 0.3, 0.4]
COLLECTION = "traced"
ROWS = 20


@pytest.fixture(scope="module")
def collection(milvus: EmbeddedMilvus) -> Iterator[str]:
    client = MilvusClient(milvus.uri)
    client.create_collection(COLLECTION, len(VECTOR), metric_type="COSINE", consistency_level="Strong")
    client.insert(COLLECTION, [{"id": number, "vector": VECTOR, "price": number} for number in range(ROWS)])
    client.close()
    yield COLLECTION
    client = MilvusClient(milvus.uri)
    client.drop_collection(COLLECTION)
    client.close()


@pytest.fixture
def client(milvus: EmbeddedMilvus, collection: str, traces: Traces) -> Iterator[MilvusClient]:
    client = MilvusClient(milvus.uri)
    client.describe_collection(collection)
    traces.clear()
    yield client
    client.close()


def test_a_client_made_before_instrumenting_is_traced_and_joined(
    milvus: EmbeddedMilvus, collection: str, request: pytest.FixtureRequest
) -> None:
    client = MilvusClient(milvus.uri)
    traces: Traces = request.getfixturevalue("traces")
    client.search(collection, [VECTOR], filter="price >= 5", limit=4)
    operation = traces.only_operation()
    attributes = attributes_of(operation)
    assert operation.name == f"search {collection}"
    assert operation.kind is SpanKind.CLIENT
    assert attributes["db.response.returned_rows"] == 4
    assert attributes["db.query.text"] == "price >= ?"
    assert attributes["server.port"] == int(milvus.uri.rpartition(":")[2])
    traces.wait_until_joined(traces.wait_for_rpcs_of(operation))
    client.close()


def test_without_rpc_spans_milvus_joins_below_the_operation(
    milvus: EmbeddedMilvus,
    collection: str,
    traces: Traces,
    instrumentor: MilvusInstrumentor,
    request: pytest.FixtureRequest,
) -> None:
    provider: TracerProvider = request.getfixturevalue("tracer_provider")
    instrumentor.uninstrument()
    instrumentor.instrument(tracer_provider=provider, rpc_spans=False)
    client = MilvusClient(milvus.uri)
    traces.clear()
    client.search(collection, [VECTOR])
    assert not traces.rpcs()
    traces.wait_until_joined([traces.only_operation()])
    client.close()


def test_creating_a_collection_is_one_operation_whatever_number_of_rpcs_it_takes(
    client: MilvusClient, traces: Traces
) -> None:
    client.create_collection("folded", 4)
    operation = traces.only_operation()
    assert operation.name == "create_collection folded"
    rpcs = traces.wait_for_rpcs_of(operation)
    assert len(rpcs) >= 5
    traces.wait_until_joined(rpcs)
    client.drop_collection("folded")


def test_counts_of_mutations_are_milvus_own(client: MilvusClient, collection: str, traces: Traces) -> None:
    rows = [{"id": 1000 + number, "vector": VECTOR} for number in range(3)]
    client.insert(collection, rows)
    client.upsert(collection, rows[:2])
    client.delete(collection, ids=[1000, 1001, 1002])
    by_name = {span.name.partition(" ")[0]: attributes_of(span) for span in traces.operations()}
    assert by_name["insert"]["milvus.insert_count"] == 3
    assert by_name["insert"]["db.operation.batch.size"] == 3
    assert by_name["upsert"]["milvus.upsert_count"] == 2
    assert by_name["delete"]["milvus.delete_count"] == 3
    assert by_name["delete"]["db.query.text"] == "id in [?]"


def test_the_database_of_a_client_is_the_namespace(
    milvus: EmbeddedMilvus, client: MilvusClient, traces: Traces
) -> None:
    client.create_database("shop") if hasattr(client, "create_database") else None
    other = MilvusClient(milvus.uri, db_name="shop")
    traces.clear()
    other.list_collections()
    assert attributes_of(traces.only_operation())["db.namespace"] == "shop"
    traces.clear()
    client.list_collections()
    assert attributes_of(traces.only_operation())["db.namespace"] == "default"
    other.close()
    client.drop_database("shop")


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_iterators_are_operations_for_each_request_they_make(
    client: MilvusClient, collection: str, traces: Traces
) -> None:
    iterator = client.search_iterator(collection, [VECTOR], batch_size=8, limit=ROWS)
    pages = 0
    while iterator.next():
        pages += 1
    iterator.close()
    rows = client.query_iterator(collection, batch_size=8)
    while rows.next():
        pages += 1
    rows.close()
    operations = traces.operations()
    names = {span.name for span in operations}
    assert pages >= 4
    assert names == {
        f"search_iterator {collection}",
        f"search {collection}",
        f"query_iterator {collection}",
        f"query {collection}",
    }
    traces.wait_until_joined(rpc for span in operations for rpc in traces.wait_for_rpcs_of(span))


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("style", ["keyword", "positional"])
def test_the_orm_is_traced_and_joined(milvus: EmbeddedMilvus, collection: str, traces: Traces, style: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        connections.connect(uri=milvus.uri)
        orm = Collection(collection)
        traces.clear()
        settings = {"metric_type": "COSINE", "params": {"nprobe": 4}}
        if style == "keyword":
            orm.search(data=[VECTOR], anns_field="vector", param=settings, limit=3, expr="price < 7")
            orm.query(expr="price < 7", output_fields=["price"])
            orm.insert(data=[{"id": 2000, "vector": VECTOR}])
            orm.delete(expr="id == 2000")
        else:
            orm.search([VECTOR], "vector", settings, 3, "price < 7")
            orm.query("price < 7", ["price"])
            orm.insert([{"id": 2000, "vector": VECTOR}])
            orm.delete("id == 2000")
        connections.disconnect("default")
    operations = {span.name.partition(" ")[0]: span for span in traces.operations()}
    assert list(operations) == ["search", "query", "insert", "delete"]
    assert {span.name.partition(" ")[2] for span in operations.values()} == {collection}
    search = attributes_of(operations["search"])
    assert search["milvus.anns_field"] == "vector"
    assert search["milvus.nprobe"] == 4
    assert search["db.response.returned_rows"] == 3
    assert attributes_of(operations["query"])["db.response.returned_rows"] == 7
    assert attributes_of(operations["insert"])["milvus.insert_count"] == 1
    traces.wait_until_joined(rpc for span in operations.values() for rpc in traces.wait_for_rpcs_of(span))


def test_many_threads_at_once_mix_up_no_trace(
    client: MilvusClient, collection: str, traces: Traces, tracer_provider: TracerProvider
) -> None:
    tracer = tracer_provider.get_tracer("test")

    def work(number: int) -> tuple[int, int, int]:
        with tracer.start_as_current_span("request") as span:
            client.search(collection, [VECTOR], limit=1 + number % 5)
        context = span.get_span_context()
        return context.trace_id, context.span_id, 1 + number % 5

    with ThreadPoolExecutor(16) as pool:
        done = list(pool.map(work, range(200)))
    _assert_each_in_its_own_trace(traces, done)


def test_many_tasks_at_once_mix_up_no_trace(
    milvus: EmbeddedMilvus, collection: str, traces: Traces, tracer_provider: TracerProvider
) -> None:
    tracer = tracer_provider.get_tracer("test")

    async def run() -> list[tuple[int, int, int]]:
        client = AsyncMilvusClient(milvus.uri)
        await client.search(collection, [VECTOR])
        traces.clear()

        async def work(number: int) -> tuple[int, int, int]:
            with tracer.start_as_current_span("request") as span:
                await client.search(collection, [VECTOR], limit=1 + number % 5)
            context = span.get_span_context()
            return context.trace_id, context.span_id, 1 + number % 5

        done = await asyncio.gather(*(work(number) for number in range(200)))
        await client.close()
        return done

    _assert_each_in_its_own_trace(traces, asyncio.run(run()))


def _assert_each_in_its_own_trace(traces: Traces, done: list[tuple[int, int, int]]) -> None:
    found = {
        (span.context.trace_id, span.parent.span_id, attributes_of(span)["milvus.limit"])
        for span in traces.operations()
        if span.context and span.parent
    }
    assert found == set(done)
    assert len(found) == len(traces.operations()) == len(done)
    rpcs = [rpc for span in traces.operations() for rpc in traces.wait_for_rpcs_of(span)]
    assert len(rpcs) == len(done)
    assert not [span for span in traces.operations() if is_error(span)]
    traces.wait_until_joined(rpcs)
