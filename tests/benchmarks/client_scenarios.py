"""What an instrumentation makes of calls to a real Milvus: the comparison's questions, answered by its own spans."""

from __future__ import annotations

import asyncio
import contextlib
import json
import warnings
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider

COLLECTION = "peers"
SECRET = "lovelace"
"""In a filter, and in a field of every row."""
VECTOR = [0.123456, 0.2, 0.3, 0.4]
_VECTOR_TEXT = "0.1234"


def real_search(uri: str) -> Callable[[], Any]:
    """One search among 10,000 vectors of 128 dimensions, for the ratio between a traced call and a plain one."""
    from pymilvus import MilvusClient

    client = MilvusClient(uri)
    if not client.has_collection("ratio"):
        client.create_collection("ratio", 128, consistency_level="Eventually")
        client.insert(
            "ratio", [{"id": number, "vector": [number % 97, *VECTOR * 31, 1, 2, 3]} for number in range(10_000)]
        )
        client.flush("ratio")
    vector = [5, *VECTOR * 31, 1, 2, 3]
    return lambda: client.search("ratio", [vector], filter="id >= 10", limit=10)


def observe(provider: TracerProvider, instrument: Callable[[], None], uri: str) -> dict[str, Any]:
    """Return, for each scenario, the spans that it left, as plain values."""
    from pymilvus import MilvusClient

    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    early = MilvusClient(uri)
    _prepare(early)
    instrument()
    # by another name: clients of one address share a channel, which a channel's instrumentation would miss
    client = MilvusClient(uri.replace("127.0.0.1", "localhost"))
    scenarios: dict[str, Callable[[], Any]] = {
        "positional": lambda: client.search(COLLECTION, [VECTOR], f"name == '{SECRET}'", 5, ["name", "vector"]),
        "missing": lambda: client.search("missing", [VECTOR]),
        "early": lambda: early.search(COLLECTION, [VECTOR]),
        "insert": lambda: client.insert(COLLECTION, _rows(100)),
        "query": lambda: client.query(COLLECTION, f"name == '{SECRET}'", output_fields=["name", "vector"]),
        "async": lambda: asyncio.run(_async_search(uri)),
        "orm": lambda: _orm_search(uri),
        "iterator": lambda: _iterate(client),
    }
    return {name: _spans_of(exporter, scenario) for name, scenario in scenarios.items()}


def _spans_of(exporter: InMemorySpanExporter, scenario: Callable[[], Any]) -> list[dict[str, Any]]:
    exporter.clear()
    with contextlib.suppress(Exception):  # one of the scenarios fails, as it is meant to
        scenario()
    return [_plain(span) for span in exporter.get_finished_spans()]


def _plain(span: ReadableSpan) -> dict[str, Any]:
    text = span.to_json()
    assert span.context is not None
    return {
        "name": span.name,
        "kind": span.kind.name,
        "status": span.status.status_code.name,
        "attributes": json.loads(text)["attributes"],
        "trace_id": f"{span.context.trace_id:032x}",
        "leaks": [what for what, sign in (("literals", SECRET), ("vectors", _VECTOR_TEXT)) if sign in text],
    }


def _prepare(client: Any) -> None:
    if not client.has_collection(COLLECTION):
        client.create_collection(COLLECTION, len(VECTOR), consistency_level="Strong")
        client.insert(COLLECTION, _rows(0))


def _rows(start: int) -> list[dict[str, Any]]:
    return [{"id": start + number, "vector": VECTOR, "name": SECRET} for number in range(10)]


async def _async_search(uri: str) -> None:
    from pymilvus import AsyncMilvusClient

    client = AsyncMilvusClient(uri)
    await client.search(COLLECTION, [VECTOR])
    await client.close()


def _orm_search(uri: str) -> None:
    from pymilvus import Collection, connections

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        connections.connect(uri=uri)
        Collection(COLLECTION).search([VECTOR], "vector", {"metric_type": "COSINE"}, 5)
        connections.disconnect("default")


def _iterate(client: Any) -> None:
    iterator = client.query_iterator(COLLECTION, batch_size=5)
    iterator.next()
    iterator.close()
