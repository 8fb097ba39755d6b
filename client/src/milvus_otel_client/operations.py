"""One table: what each method of pymilvus' handlers is called on a span, and which attributes it has.

A method that is not in the table is traced too, under its own name with its collection; the table says where the name
is another one, and what else there is to know.
"""

from __future__ import annotations

from dataclasses import dataclass

from milvus_otel_client import attributes as a
from milvus_otel_client.extractors import (
    CollectionOf,
    FromArgument,
    FromResult,
    ManyFromArgument,
    as_field,
    as_name,
    consistency_level,
    fields,
    integer,
    length,
    names,
    only_name,
    result_number,
    returned_hits,
    returned_rows,
    rows,
    rows_of_columns,
    settings,
    sub_request_fields,
    sub_request_nq,
    text,
)

Request = tuple[tuple[str, str, FromArgument], ...]
"""Attribute, argument, and how the one is read from the other."""
Response = tuple[tuple[str, FromResult], ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """What one operation is called, and how its attributes are read."""

    name: str
    request: Request = ()
    """Beside the application's request id, which any operation can have."""
    response: Response = ()
    collection: tuple[str, CollectionOf] = ("collection_name", text)
    """The argument that names the collection, and how the name is read from it."""
    settings: tuple[str, ManyFromArgument] | None = None
    """The argument that is a dict of settings, and how attributes are read from it."""
    filter_arguments: tuple[str, ...] = ()
    """The arguments that may hold the filter expression: it becomes ``db.query.text``."""
    unless: str | None = None
    """The handler's attribute that, set, means that there is nothing to do."""


@dataclass(frozen=True, slots=True)
class Compound:
    """A method of pymilvus' clients that calls several methods of the handler: one operation all the same."""

    name: str
    main: str | None = None
    """The handler's method whose arguments and result describe the operation."""
    is_handed_over: bool = False
    """Whether the client gives the method to a thread of its own."""


_PARTITION_NAMES: Request = ((a.MILVUS_PARTITIONS, "partition_names", names),)
_PARTITIONS: Request = ((a.MILVUS_PARTITIONS, "partition_name", names), *_PARTITION_NAMES)
_CONSISTENCY = (a.MILVUS_CONSISTENCY_LEVEL, "consistency_level", consistency_level)
_OUTPUT_FIELDS = (a.MILVUS_OUTPUT_FIELDS, "output_fields", fields)
_LIMIT = (a.MILVUS_LIMIT, "limit", integer)
_INDEX_NAME = (a.MILVUS_INDEX_NAME, "index_name", as_name)
_FIELD_NAME = (a.MILVUS_FIELD_NAME, "field_name", as_field)
_ALIAS = (a.MILVUS_ALIAS, "alias", as_name)
_REPLICAS = (a.MILVUS_REPLICA_NUMBER, "replica_number", integer)
_HITS = (a.DB_RESPONSE_RETURNED_ROWS, returned_hits)
_ROWS = (a.DB_RESPONSE_RETURNED_ROWS, returned_rows)
_INSERTED = (a.MILVUS_INSERT_COUNT, result_number("insert_count"))
_UPSERTED = (a.MILVUS_UPSERT_COUNT, result_number("upsert_count"))
_DELETED = (a.MILVUS_DELETE_COUNT, result_number("delete_count"))
_BATCH_OF_ROWS = (a.DB_OPERATION_BATCH_SIZE, "entities", rows)
_BATCH_OF_COLUMNS = (a.DB_OPERATION_BATCH_SIZE, "entities", rows_of_columns)

_SEARCH: Request = (
    _LIMIT,
    (a.MILVUS_NQ, "ids", length),
    (a.MILVUS_NQ, "data", length),
    (a.MILVUS_ANNS_FIELD, "anns_field", as_field),
    (a.MILVUS_GROUP_BY_FIELD, "group_by_field", as_field),
    _CONSISTENCY,
    *_PARTITION_NAMES,
    _OUTPUT_FIELDS,
)
_HYBRID_SEARCH: Request = (
    _LIMIT,
    (a.MILVUS_NQ, "reqs", sub_request_nq),
    (a.MILVUS_ANNS_FIELD, "reqs", sub_request_fields),
    (a.MILVUS_SUB_REQUEST_COUNT, "reqs", length),
    _CONSISTENCY,
    *_PARTITION_NAMES,
    _OUTPUT_FIELDS,
)
_QUERY: Request = (_LIMIT, (a.MILVUS_OFFSET, "offset", integer), _CONSISTENCY, *_PARTITION_NAMES, _OUTPUT_FIELDS)
_CREATE_INDEX: Request = (_FIELD_NAME, _INDEX_NAME)
_SEARCH_SETTINGS = (
    "param",
    settings(
        {"metric_type": a.MILVUS_METRIC_TYPE, "ef": a.MILVUS_EF, "nprobe": a.MILVUS_NPROBE, "offset": a.MILVUS_OFFSET}
    ),
)
_INDEX_SETTINGS = ("params", settings({"index_type": a.MILVUS_INDEX_TYPE, "metric_type": a.MILVUS_METRIC_TYPE}))

OPERATIONS: dict[str, Operation] = {
    # data
    "search": Operation(
        "search", _SEARCH, (_HITS,), settings=_SEARCH_SETTINGS, filter_arguments=("expression", "expr", "filter")
    ),
    "hybrid_search": Operation("hybrid_search", _HYBRID_SEARCH, (_HITS,)),
    "query": Operation("query", _QUERY, (_ROWS,), filter_arguments=("expr", "expression", "filter")),
    "get": Operation("get", (*_PARTITIONS, _OUTPUT_FIELDS), (_ROWS,)),
    "insert_rows": Operation("insert", (_BATCH_OF_ROWS, *_PARTITIONS), (_INSERTED,)),
    "batch_insert": Operation("insert", (_BATCH_OF_COLUMNS, *_PARTITIONS), (_INSERTED,)),
    "upsert_rows": Operation("upsert", (_BATCH_OF_ROWS, *_PARTITIONS), (_UPSERTED,)),
    "upsert": Operation("upsert", (_BATCH_OF_COLUMNS, *_PARTITIONS), (_UPSERTED,)),
    "delete": Operation("delete", (*_PARTITIONS, _CONSISTENCY), (_DELETED,), filter_arguments=("expression",)),
    "flush": Operation("flush", collection=("collection_names", only_name)),
    # collections, partitions, aliases
    "create_collection": Operation("create_collection", (_CONSISTENCY,)),
    "rename_collection": Operation("rename_collection", collection=("old_name", text)),
    "rename_collections": Operation("rename_collection", collection=("old_name", text)),
    "load_collection": Operation("load_collection", (_REPLICAS,)),
    "create_partition": Operation("create_partition", _PARTITIONS),
    "drop_partition": Operation("drop_partition", _PARTITIONS),
    "has_partition": Operation("has_partition", _PARTITIONS),
    "load_partitions": Operation("load_partitions", (*_PARTITIONS, _REPLICAS)),
    "release_partitions": Operation("release_partitions", _PARTITIONS),
    "get_partition_stats": Operation("get_partition_stats", _PARTITIONS),
    "get_load_state": Operation("get_load_state", _PARTITIONS),
    "create_alias": Operation("create_alias", (_ALIAS,)),
    "alter_alias": Operation("alter_alias", (_ALIAS,)),
    "drop_alias": Operation("drop_alias", (_ALIAS,)),
    "describe_alias": Operation("describe_alias", (_ALIAS,)),
    "do_bulk_insert": Operation("bulk_insert", _PARTITIONS),
    "restore_snapshot": Operation("restore_snapshot", collection=("target_collection_name", text)),
    # indexes
    "create_index": Operation("create_index", _CREATE_INDEX, settings=_INDEX_SETTINGS),
    "drop_index": Operation("drop_index", (_INDEX_NAME, _FIELD_NAME)),
    "describe_index": Operation("describe_index", (_INDEX_NAME,)),
    # methods whose names differ from what MilvusClient calls the operation
    "alter_collection_field_properties": Operation("alter_collection_field"),
    "alter_database": Operation("alter_database_properties"),
    "get_compaction_tasks": Operation("list_compaction_tasks"),
    "get_persistent_segment_infos": Operation("list_persistent_segments"),
    "get_query_segment_info": Operation("list_loaded_segments"),
    "list_database": Operation("list_databases"),
    "list_usernames": Operation("list_users"),
    "delete_user": Operation("drop_user"),
    "select_all_user": Operation("list_users"),
    "select_one_user": Operation("describe_user"),
    "select_all_role": Operation("list_roles"),
    "select_one_role": Operation("describe_role"),
    "add_user_to_role": Operation("grant_role"),
    "remove_user_from_role": Operation("revoke_role"),
    "_wait_for_channel_ready": Operation("connect"),
    "ensure_channel_ready": Operation("connect", unless="_is_channel_ready"),
}

NOT_OPERATIONS = frozenset(
    {
        "close",
        "deregister_state_change_callbacks",
        "dump_messages",  # a generator over a stream, which lives as long as its reader likes
        "fake_register_link",
        "get_server_type",
        "reconnect",
        "register_reconnect_handler",
        "register_state_change_callback",
        "reset_db_name",
        "server_address",
        "set_onetime_loglevel",
        "set_onetime_request_id",
        "update_schema",
    }
)
"""Public methods of the handlers that are no request to Milvus."""

CLIENT_COMPOUNDS: dict[str, Compound] = {
    "create_collection": Compound("create_collection", "create_collection"),
    "query": Compound("query", "query"),
    "get": Compound("get", "query"),
    "delete": Compound("delete", "delete"),
    "get_load_state": Compound("get_load_state", "get_load_state"),
    "describe_role": Compound("describe_role"),
    "refresh_load": Compound("refresh_load", "load_collection"),
    "search_iterator": Compound("search_iterator"),
    "query_iterator": Compound("query_iterator"),
    # what ``optimize`` runs in a thread or task of its own, until Milvus has compacted, indexed and loaded
    "_execute_optimize": Compound("optimize", is_handed_over=True),
}
"""Methods of ``MilvusClient`` and ``AsyncMilvusClient``."""

COLLECTION_COMPOUNDS: dict[str, Compound] = {
    "create_partition": Compound("create_partition", "create_partition"),
    "drop_index": Compound("drop_index", "drop_index"),
    "search_iterator": Compound("search_iterator"),
    "query_iterator": Compound("query_iterator"),
}
"""Methods of the ORM's ``Collection``."""


def operation_of(method: str) -> Operation:
    """Return the operation of a handler's method."""
    return OPERATIONS.get(method) or Operation(method)
