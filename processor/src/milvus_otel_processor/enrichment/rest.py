"""Requests over HTTP (`/v2/vectordb/…`, and `/v1/vector/…`): their paths, as Milvus' spans and its access log name them."""

from __future__ import annotations

import re

from milvus_otel_processor.remembering import remember

PATHS = (b"/vectordb/", b"/v1/vector/")
"""What is in the name of every span of such a request but those of version 1 on Milvus before 3.0, which are named below."""
PROXY = b"Proxy-"
"""How the root spans of the work for requests of version 1 begin: it is a trace of its own. Before 3.0 there is nothing else."""
VERSION_1 = "/v1/vector/"
"""How the paths of version 1 begin."""

_path = re.compile(r"/v\d/(?:vectordb|vector)(?:/[\w.-]+)*").match
_OPERATIONS = {
    "collections": "ShowCollections",
    "collections/list": "ShowCollections",
    "collections/describe": "DescribeCollection",
    "collections/has": "HasCollection",
    "collections/create": "CreateCollection",
    "collections/drop": "DropCollection",
    "collections/rename": "RenameCollection",
    "collections/load": "LoadCollection",
    "collections/refresh_load": "LoadCollection",
    "collections/release": "ReleaseCollection",
    "collections/get_load_state": "GetLoadState",
    "collections/get_stats": "GetCollectionStatistics",
    "collections/alter_properties": "AlterCollection",
    "collections/flush": "Flush",
    "collections/compact": "ManualCompaction",
    "entities/search": "Search",
    "entities/advanced_search": "HybridSearch",
    "entities/hybrid_search": "HybridSearch",
    "entities/query": "Query",
    "entities/get": "Query",
    "entities/insert": "Insert",
    "entities/upsert": "Upsert",
    "entities/delete": "Delete",
    "search": "Search",
    "query": "Query",
    "get": "Query",
    "insert": "Insert",
    "upsert": "Upsert",
    "delete": "Delete",
    "partitions/list": "ShowPartitions",
    "partitions/has": "HasPartition",
    "partitions/create": "CreatePartition",
    "partitions/drop": "DropPartition",
    "partitions/load": "LoadPartitions",
    "partitions/release": "ReleasePartitions",
    "partitions/get_stats": "GetPartitionStatistics",
    "indexes/list": "DescribeIndex",
    "indexes/describe": "DescribeIndex",
    "indexes/create": "CreateIndex",
    "indexes/drop": "DropIndex",
    "aliases/list": "ListAliases",
    "aliases/describe": "DescribeAlias",
    "aliases/create": "CreateAlias",
    "aliases/alter": "AlterAlias",
    "aliases/drop": "DropAlias",
    "databases/list": "ListDatabases",
    "databases/describe": "DescribeDatabase",
    "databases/create": "CreateDatabase",
    "databases/drop": "DropDatabase",
    "databases/alter": "AlterDatabase",
}
"""What is below `/v2/vectordb/` or `/v1/vector/`, and the gRPC method that does the same."""


@remember(1024)
def path_of(text: str) -> str | None:
    """Return the path of a request, without its query; None where the text is no path of Milvus' REST interface."""
    found = _path(text)
    return found[0] if found is not None and text[found.end() :][:1] in {"", "?"} else None


@remember(1024)
def operation_of(path: str) -> str:
    """Return the gRPC method that does what the path asks for, or the path itself where none does."""
    _, _, below = path[1:].partition("/")
    return _OPERATIONS.get(below.partition("/")[2], path)


@remember(1024)
def path_of_span(name: bytes) -> str | None:
    """Return the path that the name of one of Milvus' spans is, or None."""
    return path_of(name.decode("utf-8", "replace")) if name[:2] == b"/v" else None


@remember(256)
def paths_of_version_1(operation: str) -> tuple[str, ...]:
    """Return the paths of version 1 that do what this gRPC method does."""
    return tuple(f"{VERSION_1}{below}" for below, method in _OPERATIONS.items() if method == operation)
