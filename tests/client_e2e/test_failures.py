"""What fails in Milvus, on the way to it, or with it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from typing import TYPE_CHECKING

import grpc
import pytest
from milvus_otel_processor.demo.milvus import EmbeddedMilvus, MilvusSettings
from pymilvus import AsyncMilvusClient, MilvusClient, MilvusException

from tests.client_e2e.traces import Traces, attributes_of, is_error

if TYPE_CHECKING:
    from collections.abc import Iterator

VECTOR = [0.1, 0.2, 0.3, 0.4]


@pytest.fixture
def client(milvus: EmbeddedMilvus, traces: Traces) -> Iterator[MilvusClient]:
    client = MilvusClient(milvus.uri)
    if not client.has_collection("failing"):
        client.create_collection("failing", 4, consistency_level="Strong")
        client.insert("failing", [{"id": 1, "vector": VECTOR}])
    traces.clear()
    yield client
    client.close()


def test_a_missing_collection_is_an_error_with_milvus_code_and_joined(client: MilvusClient, traces: Traces) -> None:
    with pytest.raises(MilvusException) as caught:
        client.search("missing", [VECTOR])
    operation = traces.only_operation()
    assert operation.name == "search missing"
    assert is_error(operation)
    assert "collection not found" in (operation.status.description or "")
    assert attributes_of(operation)["db.response.status_code"] == "100"
    assert operation.context is not None
    assert caught.value.trace_id == f"{operation.context.trace_id:032x}"
    traces.wait_until_joined(traces.wait_for_rpcs_of(operation))


def test_a_wrong_dimension_is_an_error_with_milvus_code(client: MilvusClient, traces: Traces) -> None:
    with pytest.raises(MilvusException):
        client.search("failing", [[0.1, 0.2]])
    operation = traces.only_operation()
    assert is_error(operation)
    assert "dimension" in (operation.status.description or "").lower() or "dim" in (operation.status.description or "")
    assert attributes_of(operation)["db.response.status_code"] == attributes_of(operation)["error.type"]


def test_a_timeout_is_an_error_of_whoever_notices_it_first(client: MilvusClient, traces: Traces) -> None:
    client.insert("failing", [{"id": 2, "vector": VECTOR}])
    traces.clear()
    with pytest.raises((MilvusException, grpc.RpcError)) as caught:
        # waits for what was just inserted, which takes Milvus longer
        client.search("failing", [VECTOR], timeout=0.01)
    operation = traces.only_operation()
    assert is_error(operation)
    # gRPC here, or Milvus, which is told of the deadline
    assert attributes_of(operation)["error.type"] in ("DEADLINE_EXCEEDED", "65535")
    assert caught.value.trace_id


@pytest.mark.usefixtures("client")
def test_a_cancelled_task_ends_its_span(milvus: EmbeddedMilvus, traces: Traces) -> None:
    async def run() -> None:
        async_client = AsyncMilvusClient(milvus.uri)
        await async_client.search("failing", [VECTOR])
        traces.clear()
        task = asyncio.create_task(async_client.search("failing", [VECTOR]))
        await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await async_client.close()

    asyncio.run(run())
    assert [attributes_of(span)["error.type"] for span in traces.operations()] == ["CancelledError"]


def test_milvus_killed_mid_call_ends_the_span_as_an_error(traces: Traces) -> None:
    with EmbeddedMilvus(MilvusSettings(access_log_format=None)) as doomed:
        client = MilvusClient(doomed.uri)
        client.create_collection("failing", 4)
        client.search("failing", [VECTOR])
        traces.clear()
        failure: list[BaseException] = []
        succeeded = threading.Event()

        def keep_searching() -> None:
            try:
                while True:
                    client.search("failing", [VECTOR], timeout=3)
                    succeeded.set()
            except (MilvusException, grpc.RpcError) as error:
                failure.append(error)

        worker = threading.Thread(target=keep_searching)
        worker.start()
        assert succeeded.wait(10)
        doomed.stop()
        worker.join(60)
    assert not worker.is_alive()
    *fine, last = traces.operations()
    assert fine
    assert not any(is_error(span) for span in fine)
    assert is_error(last)
    assert attributes_of(last)["error.type"] in ("UNAVAILABLE", "DEADLINE_EXCEEDED")
    assert failure[0].trace_id  # type: ignore[attr-defined]


def test_a_server_that_is_not_there_fails_the_connect_operation(traces: Traces) -> None:
    started = time.monotonic()
    with pytest.raises(MilvusException):
        MilvusClient("http://127.0.0.1:1", timeout=0.5)
    assert time.monotonic() - started < 30
    operations = traces.operations()
    assert operations
    assert {span.name for span in operations} == {"connect"}
    assert all(is_error(span) and attributes_of(span)["server.port"] == 1 for span in operations)
