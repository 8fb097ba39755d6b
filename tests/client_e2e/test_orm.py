"""The ORM against a real Milvus: what each call is recorded as, and that Milvus joins it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pymilvus import Collection, CollectionSchema, DataType, FieldSchema, Partition, connections, utility

from tests.client_e2e.traces import Traces, attributes_of, is_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from milvus_otel_processor.demo.milvus import EmbeddedMilvus

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
NAME = "orm"
VECTOR = [0.1, 0.2, 0.3, 0.4]
_INDEX = {"index_type": "IVF_FLAT", "metric_type": "L2", "params": {"nlist": 2}}
_SETTINGS = {"metric_type": "L2", "params": {"nprobe": 2}}

_Step = tuple[str, "Callable[[Collection], Any]", list[str]]
STEPS: list[_Step] = [
    ("insert rows", lambda c: c.insert([{"id": 1, "vector": VECTOR}]), ["insert orm"]),
    ("insert columns", lambda c: c.insert(data=[[2, 3], [VECTOR, VECTOR]]), ["insert orm"]),
    ("upsert rows", lambda c: c.upsert([{"id": 1, "vector": VECTOR}]), ["upsert orm"]),
    ("upsert columns", lambda c: c.upsert(data=[[2], [VECTOR]]), ["upsert orm"]),
    ("flush", lambda c: c.flush(), ["flush orm"]),
    ("create_index", lambda c: c.create_index("vector", _INDEX), ["create_index orm"]),
    ("create_partition", lambda c: c.create_partition("p"), ["create_partition orm"]),
    ("has_partition", lambda c: c.has_partition(partition_name="p"), ["has_partition orm"]),
    ("partitions", lambda c: c.partitions, ["list_partitions orm"]),
    ("load", lambda c: c.load(), ["load_collection orm"]),
    ("search", lambda c: c.search([VECTOR], "vector", _SETTINGS, 2), ["search orm"]),
    ("query", lambda c: c.query(expr="id > 0"), ["query orm"]),
    ("delete", lambda c: c.delete("id == 1"), ["delete orm"]),
    ("partition insert", lambda c: Partition(c, "p").insert([[9], [VECTOR]]), ["has_partition orm", "insert orm"]),
    ("num_entities", lambda c: c.num_entities, ["get_collection_stats orm"]),
    ("describe", lambda c: c.describe(), ["describe_collection orm"]),
    ("get_replicas", lambda c: c.get_replicas(), ["get_replicas orm"]),
    ("compact", lambda c: c.compact(), ["compact orm"]),
    ("indexes", lambda c: c.indexes, ["list_indexes orm"]),
    ("utility.has_collection", lambda _: utility.has_collection(NAME), ["has_collection orm"]),
    ("utility.list_collections", lambda _: utility.list_collections(), ["list_collections"]),
    ("utility.loading_progress", lambda _: utility.loading_progress(NAME), ["get_loading_progress orm"]),
    ("utility.load_state", lambda _: utility.load_state(NAME), ["get_load_state orm"]),
    (
        "utility.index_building_progress",
        lambda _: utility.index_building_progress(NAME),
        ["get_index_build_progress orm"],
    ),
    ("utility.create_alias", lambda _: utility.create_alias(NAME, "orm_alias"), ["create_alias orm"]),
    ("utility.list_aliases", lambda _: utility.list_aliases(NAME), ["list_aliases orm"]),
    ("utility.drop_alias", lambda _: utility.drop_alias(alias="orm_alias"), ["drop_alias"]),
    ("utility.get_server_version", lambda _: utility.get_server_version(), ["get_server_version"]),
    ("release", lambda c: c.release(), ["release_collection orm"]),
    ("drop_partition", lambda c: c.drop_partition("p"), ["drop_partition orm"]),
    ("drop_index", lambda c: c.drop_index(), ["drop_index orm"]),
    ("utility.drop_collection", lambda _: utility.drop_collection(NAME), ["drop_collection orm"]),
]


@pytest.fixture
def collection(milvus: EmbeddedMilvus, traces: Traces) -> Iterator[Collection]:
    connections.connect(uri=milvus.uri)
    fields = [FieldSchema("id", DataType.INT64, is_primary=True), FieldSchema("vector", DataType.FLOAT_VECTOR, dim=4)]
    yield Collection(NAME, CollectionSchema(fields), consistency_level="Strong")
    traces.clear()
    connections.disconnect("default")


def test_each_call_of_the_orm_is_recorded_as_what_it_asks_and_joined(collection: Collection, traces: Traces) -> None:
    recorded: dict[str, list[str]] = {}
    rpcs = []
    for label, call, _ in STEPS:
        traces.clear()
        call(collection)
        operations = traces.operations()
        recorded[label] = [span.name for span in operations]
        assert not [span for span in operations if is_error(span)], label
        assert all(attributes_of(span)["db.namespace"] == "default" for span in operations), label
        rpcs += [rpc for span in operations for rpc in traces.wait_for_rpcs_of(span)]
    assert recorded == {label: names for label, _, names in STEPS}
    traces.wait_until_joined(rpcs)
