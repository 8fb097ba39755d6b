"""The names of every attribute that this instrumentation sets; README.md explains them in one table.

The ``db.*``, ``error.*`` and ``server.*`` names are those of OpenTelemetry's semantic conventions for database client
spans, stable since 1.33 apart from ``db.response.returned_rows``, which is in development there. ``rpc.*`` are the ones
that OpenTelemetry's gRPC instrumentation for Python sets. What the conventions have no word for is ``milvus.*``.
"""

from typing import Final

DB_SYSTEM_NAME: Final = "db.system.name"
DB_OPERATION_NAME: Final = "db.operation.name"
DB_COLLECTION_NAME: Final = "db.collection.name"
DB_NAMESPACE: Final = "db.namespace"
DB_OPERATION_BATCH_SIZE: Final = "db.operation.batch.size"
DB_QUERY_TEXT: Final = "db.query.text"
DB_RESPONSE_RETURNED_ROWS: Final = "db.response.returned_rows"
DB_RESPONSE_STATUS_CODE: Final = "db.response.status_code"
ERROR_TYPE: Final = "error.type"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"

MILVUS_ALIAS: Final = "milvus.alias"
MILVUS_ANNS_FIELD: Final = "milvus.anns_field"
MILVUS_CLIENT_REQUEST_ID: Final = "milvus.client_request_id"
MILVUS_CONSISTENCY_LEVEL: Final = "milvus.consistency_level"
MILVUS_DELETE_COUNT: Final = "milvus.delete_count"
MILVUS_EF: Final = "milvus.ef"
MILVUS_FIELD_NAME: Final = "milvus.field_name"
MILVUS_GROUP_BY_FIELD: Final = "milvus.group_by_field"
MILVUS_INDEX_NAME: Final = "milvus.index_name"
MILVUS_INDEX_TYPE: Final = "milvus.index_type"
MILVUS_INSERT_COUNT: Final = "milvus.insert_count"
MILVUS_LIMIT: Final = "milvus.limit"
MILVUS_METRIC_TYPE: Final = "milvus.metric_type"
MILVUS_NPROBE: Final = "milvus.nprobe"
MILVUS_NQ: Final = "milvus.nq"
MILVUS_OFFSET: Final = "milvus.offset"
MILVUS_OUTPUT_FIELDS: Final = "milvus.output_fields"
MILVUS_PARTITIONS: Final = "milvus.partitions"
MILVUS_REPLICA_NUMBER: Final = "milvus.replica_number"
MILVUS_SUB_REQUEST_COUNT: Final = "milvus.sub_request_count"
MILVUS_UPSERT_COUNT: Final = "milvus.upsert_count"

RPC_GRPC_STATUS_CODE: Final = "rpc.grpc.status_code"
RPC_METHOD: Final = "rpc.method"
RPC_SERVICE: Final = "rpc.service"
RPC_SYSTEM: Final = "rpc.system"

DB_SYSTEM_MILVUS: Final = "milvus"
"""The value of ``db.system.name``: the conventions have no well-known value for Milvus yet."""
DEFAULT_DATABASE: Final = "default"
"""The database that Milvus uses when a request names none."""
