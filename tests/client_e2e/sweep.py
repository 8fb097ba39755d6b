"""Calls every public method of MilvusClient or AsyncMilvusClient, with arguments chosen by the parameters' names."""

from __future__ import annotations

import inspect
from typing import Any

import pymilvus
from pymilvus import AnnSearchRequest, DataType, FieldSchema, Function, FunctionType, MilvusClient, RRFRanker

COLLECTION = "sweep"
VECTOR = [0.1, 0.2, 0.3, 0.4]
ROWS = [{"id": number, "vector": VECTOR} for number in range(10)]

NO_REQUEST = frozenset(
    {
        "close",
        "create_field_schema",
        "create_schema",
        "create_struct_field_schema",
        "get_server_type",
        "prepare_index_params",
        "session",
    }
)
"""Methods that ask Milvus nothing."""
if pymilvus.__version__.startswith("2.5."):
    NO_REQUEST |= {"use_database", "using_database"}
UNTRACED = {"dump_messages": "a stream, which lives as long as its reader likes"}
"""Methods that are no operation, with the reason."""
_OPERATIONS = {
    # a method of the client that has another operation's name
    "add_function_field": "alter_collection_schema",
    "drop_collection_field": "alter_collection_schema",
    "drop_function_field": "alter_collection_schema",
    "list_segments": "list_persistent_segments",
    "use_database": "describe_database",
    "using_database": "describe_database",
}
_LAST = (("release_", "revoke_"), ("optimize",), ("drop_", "remove_", "truncate_"), ("create_index",), ("rename_",))
_FUNCTION = Function("f", FunctionType.BM25, input_field_names=["text"], output_field_names=["sparse"])


def values_of(method: str) -> dict[str, Any]:
    """What each parameter is given, by its name; a few mean something else in a few methods."""
    values = _values()
    if method in ("use_database", "using_database"):
        values["db_name"] = "default"  # what follows is to find the collection
    if method in ("insert", "upsert"):
        values["data"] = ROWS
    return values


def _values() -> dict[str, Any]:
    return {
        "alias": "sweep_alias",
        "cluster_id": "cluster",
        "clusters": [],
        "collection_name": COLLECTION,
        "configs": {},
        "data": [VECTOR],
        "data_type": DataType.INT64,
        "db_name": "sweep_database",
        "dimension": 4,
        "field_name": "vector",
        "field_params": {"mmap.enabled": True},
        "description": "a sweep",
        "field_schema": FieldSchema("sparse", DataType.SPARSE_FLOAT_VECTOR),
        "func": _FUNCTION,
        "function": _FUNCTION,
        "function_name": "f",
        "group_name": "sweep_group",
        "ids": [1, 2],
        "index_name": "vector",
        "job_id": 1,
        "name": "sweep_resources",
        "new_name": f"{COLLECTION}_renamed",
        "new_password": "Passw0rd2",
        "object_name": "*",
        "object_type": "Global",
        "old_name": COLLECTION,
        "old_password": "Passw0rd",
        "partition_name": "sweep_partition",
        "partition_names": ["sweep_partition"],
        "password": "Passw0rd",
        "path": "path",
        "pin_id": 1,
        "privilege": "CreateCollection",
        "privileges": ["Search"],
        "properties": {"collection.ttl.seconds": 60},
        "property_keys": ["collection.ttl.seconds"],
        "ranker": RRFRanker(),
        "reqs": [AnnSearchRequest([VECTOR], "vector", {}, limit=3)],
        "role_name": "sweep_role",
        "snapshot_name": "sweep_snapshot",
        "source": "__default_resource_group",
        "source_cluster_id": "cluster",
        "source_collection_name": COLLECTION,
        "source_group": "__default_resource_group",
        "max_capacity": 8,
        "struct_schema": _struct_schema(),
        "target": "sweep_resources",
        "target_collection_name": COLLECTION,
        "target_group": "sweep_resources",
        "target_pchannel": "channel",
        "texts": ["text"],
        "user_name": "sweep_user",
        "num_replicas": 1,
        "num_replica": 1,
    }


_OPTIONAL = {
    "search": ("data", "filter", "limit"),
    "search_iterator": ("data", "batch_size"),
    "query": ("filter",),
    "query_iterator": ("batch_size", "filter"),
    "delete": ("ids",),
    "list_indexes": ("field_name",),
    "create_collection": ("dimension",),
    "drop_collection_field": ("field_name",),
}
"""Parameters that are given though they have defaults."""


def methods_of(client: type) -> list[str]:
    """Every public method, those that take things away last."""
    names = [
        name
        for name, _ in inspect.getmembers(client, inspect.isfunction)
        if not name.startswith("_") and name not in NO_REQUEST and name not in UNTRACED
    ]
    return sorted(names, key=lambda name: (_order(name), name))


def arguments_for(client: type, method: str) -> dict[str, Any]:
    """The arguments of one call, in the order of the parameters."""
    values = values_of(method) | {"filter": "id >= 0", "limit": 3, "batch_size": 5}
    if method in ("create_index", "add_function_field"):
        values["index_params"] = index_params("sparse" if method == "add_function_field" else "vector")
    if method in ("create_collection", "drop_collection"):
        values["collection_name"] = f"{COLLECTION}_created"
    parameters = list(inspect.signature(getattr(client, method)).parameters.values())[1:]
    wanted = _OPTIONAL.get(method, ())
    return {
        parameter.name: values[parameter.name]
        for parameter in parameters
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        and (parameter.default is parameter.empty or parameter.name in wanted)
        and parameter.name in values
    }


def operation_of(method: str) -> str:
    return _OPERATIONS.get(method, method)


def index_params(field: str) -> Any:
    params = MilvusClient.prepare_index_params()
    if field == "sparse":
        params.add_index(field, index_type="SPARSE_INVERTED_INDEX", metric_type="BM25")
    else:
        params.add_index(field, index_type="IVF_FLAT", metric_type="COSINE", nlist=2)
    return params


def _struct_schema() -> Any:
    """A schema for a field of structs, which not every version of pymilvus has."""
    if not hasattr(MilvusClient, "create_struct_field_schema"):
        return None
    schema = MilvusClient.create_struct_field_schema()
    schema.add_field("number", DataType.INT64)
    return schema


def limits_of(method: str) -> dict[str, float]:
    """Timeout in seconds; what Milvus 2.3.5 cannot do is retried until then, and what waits for it never ends.

    Some methods of pymilvus 2.5 lose the timeout, and would be retried 75 times.
    """
    if method in ("alter_index_properties", "drop_index_properties"):
        return {"timeout": 0.3, "retry_times": 1}
    if method == "optimize":  # Milvus compacts when it has the time
        return {"timeout": 60}
    return {"timeout": 0.3 if method in ("flush_all", "refresh_load") else 10}


def _order(name: str) -> int:
    """What is in use has to be released before it can go; an index can come when the old one has gone."""
    for order, prefixes in enumerate(_LAST, start=1):
        if name.startswith(prefixes):
            return order
    return 0
