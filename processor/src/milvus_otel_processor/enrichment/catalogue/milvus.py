"""Reads collections from Milvus, with the gRPC stubs of pymilvus.

The stubs and not `MilvusClient`, which adds what does not belong in a background task: it tries again for minutes inside
one call, logs each failure with its traceback, and has no way to send a `traceparent`.
"""

from __future__ import annotations

import logging
import sys
from base64 import b64encode
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from milvus_otel_processor.enrichment.catalogue.collection import Collection, VectorField
from milvus_otel_processor.installing import CATALOGUE

if TYPE_CHECKING:
    from collections.abc import Mapping

    import grpc

_log = logging.getLogger(__name__)

TRACE_ID = b"milvus-otel-proc"
"""The trace id of the processor's own calls, so that their lines in the access log can be told from others."""

DEFAULT_NAMESPACE = "default"
TRACEPARENT = f"00-{TRACE_ID.hex()}-{TRACE_ID[:8].hex()}-00"
"""What they are sent with. Flags 00: the caller does not sample, so Milvus does not."""

_GENERATED = f"{__name__}.pymilvus"
"""The package under which the generated modules of pymilvus are imported."""
_NOT_FOUND = frozenset((4, 100))  # CollectionNotExists of Milvus until 2.2, ErrCollectionNotFound since
_SPARSE = "SparseFloatVector"


class Refusal(Exception):  # noqa: N818 - not an error of ours
    """Milvus does not answer, or not with what was asked for; `reason` is a word for metrics."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Connection(NamedTuple):
    """How Milvus is reached. `authorization` is `user:password` or a token, or empty; the others are contents of PEM files."""

    target: str
    tls: bool
    authorization: str
    timeout: float
    ca: bytes | None = None
    cert: bytes | None = None
    key: bytes | None = None
    server_name: str | None = None


class Reader:
    """Asks Milvus, one call at a time. Every method raises Refusal where Milvus does not answer; `close` ends the connection."""

    def __init__(self, connection: Connection) -> None:
        self._api, stub = _pymilvus()
        self._timeout = connection.timeout
        self._denied: set[str] = set()
        self._channel = _channel(connection)
        self._stub = stub(self._channel)
        self._metadata = [("traceparent", TRACEPARENT)]
        if connection.authorization:
            self._metadata.append(("authorization", b64encode(connection.authorization.encode()).decode()))

    def close(self) -> None:
        """End the connection."""
        self._channel.close()

    def namespaces(self) -> list[str]:
        """Return the databases that the user can see; `default` alone where Milvus knows no others."""
        answer = self._optional("ListDatabases", self._api.ListDatabasesRequest(), DEFAULT_NAMESPACE)
        return list(answer.db_names) if answer is not None else [DEFAULT_NAMESPACE]

    def collections(self, namespace: str) -> dict[int, str]:
        """Return the ids and names of the database's collections; none where this user may not see them."""
        answer = self._permitted("ShowCollections", self._api.ShowCollectionsRequest(db_name=namespace), namespace)
        if answer is None:
            return {}
        _check(answer.status)
        return dict(zip(answer.collection_ids, answer.collection_names, strict=True))

    def describe(self, namespace: str, name: str) -> Collection | None:
        """Return the collection that has this name or alias, or None if there is none, or not for this user."""
        api = self._api
        request = api.DescribeCollectionRequest(db_name=namespace, collection_name=name)
        described = self._permitted("DescribeCollection", request, namespace)
        if described is None or _code(described.status) in _NOT_FOUND:
            return None
        _check(described.status)
        schema = described.schema
        real_name = schema.name or described.collection_name  # the latter is the alias, where one was asked for
        of_it = {"db_name": namespace, "collection_name": real_name}
        indexes = self._optional("DescribeIndex", api.DescribeIndexRequest(**of_it), namespace)
        stats = self._optional("GetCollectionStatistics", api.GetCollectionStatisticsRequest(**of_it), namespace)
        state = self._optional("GetLoadState", api.GetLoadStateRequest(**of_it), namespace)
        return Collection(
            id=described.collectionID,
            namespace=namespace,
            name=real_name,
            aliases=tuple(described.aliases),
            description=schema.description,
            shard_count=described.shards_num or None,
            partition_count=described.num_partitions or self._partition_count(namespace, real_name),
            consistency_level=_enum(described, "consistency_level"),
            dynamic_field=schema.enable_dynamic_field,
            row_count=_row_count(stats),
            load_state=_enum(state, "state").removeprefix("LoadState") if state is not None else None,
            replica_count=self._replica_count(namespace, described.collectionID),
            vector_fields=tuple(_vector_fields(schema.fields, _indexes(indexes))),
        )

    def _partition_count(self, namespace: str, name: str) -> int | None:
        request = self._api.ShowPartitionsRequest(db_name=namespace, collection_name=name)
        answer = self._optional("ShowPartitions", request, namespace)
        return len(answer.partition_names) if answer is not None else None

    def _replica_count(self, namespace: str, collection_id: int) -> int | None:
        request = self._api.GetReplicasRequest(db_name=namespace, collectionID=collection_id)
        answer = self._optional("GetReplicas", request, namespace)
        return len(answer.replicas) if answer is not None else None

    def _optional(self, method: str, request: Any, namespace: str) -> Any:
        """Call, and return None where this Milvus has no such method, or does not let this user have the answer."""
        try:
            answer = self._permitted(method, request, namespace)
        except Refusal as refusal:
            if refusal.reason == "unimplemented":
                return None
            raise
        return answer if answer is not None and _code(answer.status) == 0 else None

    def _permitted(self, method: str, request: Any, namespace: str) -> Any:
        """Call, and return None where this user may not have the answer, which is logged once for each method."""
        try:
            return self._call(method, request, namespace)
        except Refusal as refusal:
            if refusal.reason != "permission_denied":
                raise
            if method not in self._denied:
                self._denied.add(method)
                _log.warning("the catalogue goes without what its Milvus user may not see: %s", refusal)
            return None

    def _call(self, method: str, request: Any, namespace: str) -> Any:
        import grpc  # noqa: PLC0415 - a replay asks no Milvus, and need not wait for it

        metadata = [*self._metadata, ("dbname", namespace)]
        try:
            return getattr(self._stub, method)(request, timeout=self._timeout, metadata=metadata)
        except grpc.RpcError as error:
            raise Refusal(error.code().name.lower(), f"{method}: {error.code().name}: {error.details()}") from None


def _pymilvus() -> tuple[Any, Any]:
    """Import the messages and the stub of pymilvus, and no more of it.

    All of pymilvus brings pandas, 66 MiB of memory in all, and takes two seconds; it reads a `.env` file above its folder into
    the environment, and gives its loggers handlers of their own.
    """
    if _GENERATED not in sys.modules:
        pymilvus = find_spec("pymilvus")
        places = pymilvus.submodule_search_locations if pymilvus is not None else None
        if not places:
            raise _no_pymilvus("it is not installed")
        package = ModuleType(_GENERATED)
        package.__path__ = [str(Path(place, "grpc_gen")) for place in places]
        sys.modules[_GENERATED] = package
    try:
        return import_module(f"{_GENERATED}.milvus_pb2"), import_module(
            f"{_GENERATED}.milvus_pb2_grpc"
        ).MilvusServiceStub
    except ImportError as error:
        raise _no_pymilvus(error) from None


def _no_pymilvus(why: object) -> Refusal:
    return Refusal(
        "no_pymilvus",
        f"pymilvus cannot be imported: {why}; install it, {CATALOGUE}, or set "
        "processors.milvus.catalogue.enabled to false",
    )


def _channel(connection: Connection) -> grpc.Channel:
    import grpc  # noqa: PLC0415 - as above

    options: list[tuple[str, Any]] = [("grpc.max_receive_message_length", -1)]
    if not connection.tls:
        return grpc.insecure_channel(connection.target, options=options)
    if connection.server_name:
        options.append(("grpc.ssl_target_name_override", connection.server_name))
    credentials = grpc.ssl_channel_credentials(connection.ca, connection.key, connection.cert)
    return grpc.secure_channel(connection.target, credentials, options=options)


def _code(status: Any) -> int:
    # Milvus from 2.3 on answers with `code`; before, and in some answers since, with `error_code`.
    return int(status.code or status.error_code)


def _check(status: Any) -> None:
    if _code(status) != 0:
        raise Refusal("refused", f"Milvus answered with code {_code(status)}: {status.reason}")


def _enum(message: Any, field: str) -> str:
    number = getattr(message, field)
    value = message.DESCRIPTOR.fields_by_name[field].enum_type.values_by_number.get(number)
    return value.name if value is not None else str(number)


def _row_count(stats: Any) -> int | None:
    if stats is None:
        return None
    counts = [pair.value for pair in stats.stats if pair.key == "row_count"]
    return int(counts[0]) if counts else None


def _indexes(answer: Any) -> dict[str, Mapping[str, str]]:
    if answer is None:
        return {}
    return {index.field_name: {pair.key: pair.value for pair in index.params} for index in answer.index_descriptions}


def _vector_fields(fields: Any, indexes: Mapping[str, Mapping[str, str]]) -> list[VectorField]:
    vectors = []
    for field in fields:
        kind = _enum(field, "data_type")
        if kind.endswith("Vector"):
            parameters = {pair.key: pair.value for pair in field.type_params}
            index = indexes.get(field.name, {})
            dimension = 0 if kind == _SPARSE else int(parameters.get("dim", 0))
            vectors.append(
                VectorField(field.name, dimension, index.get("index_type", ""), index.get("metric_type", ""))
            )
    return vectors
