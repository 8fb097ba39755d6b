"""An in-process gRPC server that answers like Milvus, and remembers the metadata of each rpc."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import grpc
from pymilvus.grpc_gen import common_pb2, milvus_pb2, milvus_pb2_grpc, schema_pb2

DIMENSION = 4
COLLECTION_NOT_FOUND = 100
INVALID_PARAMETER = 1100
PARROT = "parrot"


class FakeMilvus(milvus_pb2_grpc.MilvusServiceServicer):  # type: ignore[misc] # it has no types
    """Collections exist unless they are called `missing`; a search finds `limit` hits for each query.

    One that is called `parrot` refuses every filter and row, and repeats it.
    """

    def __init__(self) -> None:
        self.metadata: list[tuple[str, dict[str, Any]]] = []
        self.release = threading.Event()
        self.release.set()
        """Cleared, it holds back the answers to searches."""
        # pymilvus pings, and channels of one process to one address share a connection: with many tests that is often.
        options = [("grpc.http2.max_ping_strikes", 0)]
        self._server = grpc.server(ThreadPoolExecutor(16), interceptors=[_Recorder(self.metadata)], options=options)
        milvus_pb2_grpc.add_MilvusServiceServicer_to_server(self, self._server)
        self.uri = f"http://127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release.set()
        self._server.stop(grace=None).wait()

    def metadata_of(self, method: str) -> list[dict[str, Any]]:
        return [entries for name, entries in self.metadata if name == method]

    def Connect(self, _request: Any, _context: Any) -> Any:  # noqa: N802 - the service's names, here and below
        return milvus_pb2.ConnectResponse(status=common_pb2.Status(), identifier=1)

    def DescribeCollection(self, request: Any, _context: Any) -> Any:  # noqa: N802
        if request.collection_name == "missing":
            return milvus_pb2.DescribeCollectionResponse(status=_not_found(request.collection_name))
        fields = [
            schema_pb2.FieldSchema(fieldID=100, name="id", is_primary_key=True, data_type=schema_pb2.Int64),
            schema_pb2.FieldSchema(
                fieldID=101,
                name="vector",
                data_type=schema_pb2.FloatVector,
                type_params=[common_pb2.KeyValuePair(key="dim", value=str(DIMENSION))],
            ),
        ]
        schema = schema_pb2.CollectionSchema(name=request.collection_name, fields=fields)
        return milvus_pb2.DescribeCollectionResponse(status=common_pb2.Status(), schema=schema, collectionID=1)

    def HasCollection(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        return milvus_pb2.BoolResponse(status=common_pb2.Status(), value=True)

    def ShowCollections(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        return milvus_pb2.ShowCollectionsResponse(status=common_pb2.Status())

    def Search(self, request: Any, _context: Any) -> Any:  # noqa: N802
        self.release.wait()
        if request.collection_name == "missing":
            return milvus_pb2.SearchResults(status=_not_found(request.collection_name))
        if request.collection_name == PARROT:
            return milvus_pb2.SearchResults(status=_repeated(request.dsl))
        limit = min(int(next(pair.value for pair in request.search_params if pair.key == "topk")), 1000)
        count = request.nq * limit
        data = schema_pb2.SearchResultData(
            num_queries=request.nq,
            top_k=limit,
            topks=[limit] * request.nq,
            scores=[0.5] * count,
            ids=schema_pb2.IDs(int_id=schema_pb2.LongArray(data=range(count))),
        )
        return milvus_pb2.SearchResults(status=common_pb2.Status(), results=data)

    def Insert(self, request: Any, _context: Any) -> Any:  # noqa: N802
        if request.collection_name == PARROT:
            return milvus_pb2.MutationResult(status=_repeated(str(request.fields_data)))
        return milvus_pb2.MutationResult(
            status=common_pb2.Status(),
            insert_cnt=request.num_rows,
            IDs=schema_pb2.IDs(int_id=schema_pb2.LongArray(data=range(request.num_rows))),
        )

    def Delete(self, request: Any, _context: Any) -> Any:  # noqa: N802
        return milvus_pb2.MutationResult(status=_repeated(request.expr))

    def Query(self, request: Any, _context: Any) -> Any:  # noqa: N802
        if request.collection_name == PARROT:
            return milvus_pb2.QueryResults(status=_repeated(request.expr))
        ids = schema_pb2.FieldData(
            type=schema_pb2.Int64,
            field_name="id",
            field_id=100,
            scalars=schema_pb2.ScalarField(long_data=schema_pb2.LongArray(data=[1, 2, 3])),
        )
        return milvus_pb2.QueryResults(
            status=common_pb2.Status(), fields_data=[ids], output_fields=["id"], collection_name="c"
        )


class _Recorder(grpc.ServerInterceptor):  # type: ignore[misc] # it has no types
    def __init__(self, metadata: list[tuple[str, dict[str, Any]]]) -> None:
        self._metadata = metadata

    def intercept_service(self, continuation: Any, details: Any) -> Any:
        self._metadata.append((details.method.rpartition("/")[2], dict(details.invocation_metadata)))
        return continuation(details)


def _not_found(collection: str) -> Any:
    return common_pb2.Status(
        code=COLLECTION_NOT_FOUND,
        error_code=common_pb2.CollectionNotExists,
        reason=f"collection not found[database=default][collection={collection}]",
    )


def _repeated(text: str) -> Any:
    return common_pb2.Status(
        code=INVALID_PARAMETER,
        error_code=common_pb2.IllegalArgument,
        reason=f"cannot parse expression: {text}, error: line 1:9 near {text[len(text) // 2 :]!r}: invalid parameter",
    )
