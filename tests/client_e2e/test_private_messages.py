"""What a real Milvus says of wrong calls: its words are told, the application's values are not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pymilvus import DataType, MilvusClient

from tests.client_e2e.traces import Traces, attributes_of, is_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from milvus_otel_client import MilvusInstrumentor
    from milvus_otel_processor.demo.milvus import EmbeddedMilvus
    from opentelemetry.sdk.trace import TracerProvider

_SECRET = "user-1@example.com"
_MARKS = ("user-1", "example", "0.123456", "12345678", "Brien", "hunter")
_VECTOR = [0.1, 0.2, 0.3, 0.4]
_STRICT = "strict"

WRONG: dict[str, Callable[[MilvusClient], Any]] = {
    "text for an integer key": lambda c: c.get(_STRICT, ids=[_SECRET]),
    "text for an integer key, deleted": lambda c: c.delete(_STRICT, ids=[_SECRET]),
    "flat vector": lambda c: c.search(_STRICT, data=[0.123456, 0.2, 0.3, 0.4], limit=1),
    "vector of texts": lambda c: c.search(_STRICT, data=[[_SECRET, 0.1, 0.2, 0.3]], limit=1),
    "a filter on a collection that is none": lambda c: c.query("missing", filter="id == 12345678"),
    "filter that is a list": lambda c: c.search(_STRICT, data=[_VECTOR], limit=1, filter=[_SECRET]),
    "number for a text": lambda c: c.insert(_STRICT, [{"id": 1, "name": 12345678, "vector": _VECTOR}]),
    "unknown field": lambda c: c.insert(_STRICT, [{"id": 1, "name": "x", "vector": _VECTOR, _SECRET: 1}]),
    "too long a text": lambda c: c.insert(_STRICT, [{"id": 1, "name": _SECRET, "vector": _VECTOR}]),
    "no quotes in a filter": lambda c: c.query(_STRICT, filter=f"name == {_SECRET}"),
    "a name without quotes": lambda c: c.query(_STRICT, filter="name == hunter2"),
    "ids without quotes": lambda c: c.query(_STRICT, filter=f"name in [{_SECRET}, hunter2]"),
    "an apostrophe in a filter": lambda c: c.query(_STRICT, filter="name == 'O'Brien'"),
    "a text for a number in a filter": lambda c: c.query(_STRICT, filter=f"id == '{_SECRET}'"),
    "a comment in a filter": lambda c: c.query(_STRICT, filter=f"id > 0 // {_SECRET}"),
    "a partition that is none": lambda c: c.query(_STRICT, filter="id > 0", partition_names=[_SECRET]),
    "a template with a set": lambda c: c.query(_STRICT, filter="id in {x}", filter_params={"x": {_SECRET}}),
    "a collection that is none": lambda c: c.search(_SECRET, data=[_VECTOR], limit=1),
    "a filter in the place of the collection": lambda c: c.query(f"name == '{_SECRET}'", filter=_STRICT),
    "number for a password": lambda c: c.create_user("bob", 12345678),
    "too short a password": lambda c: c.create_user("bob", "hun"),
    "wrong password": lambda c: c.update_password("bob", "old-hunter2", "new-hunter2"),
    "no user": lambda c: c.create_user("", "hunter2-12345678"),
}


@pytest.fixture
def client(milvus: EmbeddedMilvus, traces: Traces) -> Iterator[MilvusClient]:
    client = MilvusClient(milvus.uri)
    if not client.has_collection(_STRICT):
        schema = client.create_schema(enable_dynamic_field=False)
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("name", DataType.VARCHAR, max_length=8)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=len(_VECTOR))
        index = client.prepare_index_params()
        index.add_index("vector", index_type="FLAT", metric_type="L2")
        client.create_collection(_STRICT, schema=schema, index_params=index)
    traces.clear()
    yield client
    client.close()


@pytest.mark.parametrize("label", WRONG)
def test_no_value_of_a_wrong_call_is_told(client: MilvusClient, traces: Traces, label: str) -> None:
    with pytest.raises(Exception):  # noqa: B017, PT011 - which one differs by version
        WRONG[label](client)
    operation = traces.only_operation()
    assert is_error(operation)
    for span in (operation, *traces.rpcs()):
        told = repr((span.name, attributes_of(span), span.status.description))
        assert not [mark for mark in _MARKS if mark in told], told
        assert "\n" not in (span.status.description or "")


def test_milvus_words_are_told_with_the_masked_filter(client: MilvusClient, traces: Traces) -> None:
    with pytest.raises(Exception, match="missing"):
        client.query(_STRICT, filter="missing == 'hunter2'")
    told = traces.only_operation().status.description or ""
    assert "cannot parse expression: missing == ?" in told
    assert "field missing not exist" in told


def test_with_literals_asked_for_milvus_words_are_told_as_they_are(
    client: MilvusClient, traces: Traces, instrumentor: MilvusInstrumentor, tracer_provider: TracerProvider
) -> None:
    instrumentor.uninstrument()
    instrumentor.instrument(tracer_provider=tracer_provider, capture_query_text=True)
    with pytest.raises(Exception, match="missing"):
        client.query(_STRICT, filter="missing == 'hunter2'")
    assert "missing == 'hunter2'" in (traces.only_operation().status.description or "")


def test_without_messages_the_type_of_the_error_tells_what_failed(
    client: MilvusClient, traces: Traces, instrumentor: MilvusInstrumentor, tracer_provider: TracerProvider
) -> None:
    instrumentor.uninstrument()
    instrumentor.instrument(tracer_provider=tracer_provider, capture_error_messages=False)
    with pytest.raises(Exception, match="not found"):
        client.search("missing", [_VECTOR])
    operation = traces.only_operation()
    assert is_error(operation)
    assert operation.status.description is None
    assert attributes_of(operation)["error.type"] == "100"
