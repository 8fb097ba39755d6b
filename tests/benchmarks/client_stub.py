"""pymilvus without a network: a channel whose rpcs answer at once, with what was prepared."""

from __future__ import annotations

import contextlib
import itertools
from typing import TYPE_CHECKING, Any

import grpc

if TYPE_CHECKING:
    from collections.abc import Callable

DIMENSION = 768
ROWS = 100


class _Answer(grpc.Future):  # type: ignore[misc] # grpc has no types
    """A future that is done."""

    def __init__(self, response: Any) -> None:
        self._response = response

    def result(self, *_: Any, **__: Any) -> Any:
        return self._response

    def add_done_callback(self, fn: Any) -> None:
        fn(self)

    def code(self) -> Any:
        return grpc.StatusCode.OK

    def details(self) -> str:
        return ""

    def exception(self, *_: Any, **__: Any) -> None:
        return None

    def traceback(self, *_: Any, **__: Any) -> None:
        return None

    def cancel(self) -> bool:
        return False

    def cancelled(self) -> bool:
        return False

    def running(self) -> bool:
        return False

    def done(self) -> bool:
        return True


class _Rpc(grpc.UnaryUnaryMultiCallable):  # type: ignore[misc]
    """Answers by the collection that is asked for, where it makes a difference."""

    def __init__(self, response: Any) -> None:
        self._response = response

    def __call__(self, request: Any, *_: Any, **__: Any) -> Any:
        return self._response[request.collection_name] if isinstance(self._response, dict) else self._response

    def with_call(self, request: Any, *_: Any, **__: Any) -> Any:
        return self(request), _Answer(self(request))

    def future(self, request: Any, *_: Any, **__: Any) -> Any:
        return _Answer(self(request))


class _Channel(grpc.Channel):  # type: ignore[misc]
    def __init__(self, responses: dict[str, Any]) -> None:
        self._responses = responses

    def unary_unary(self, method: str, *_: Any, **__: Any) -> Any:
        return _Rpc(self._responses.get(method.rpartition("/")[2]))

    def unary_stream(self, *_: Any, **__: Any) -> Any:
        return None

    stream_unary = stream_stream = unary_stream

    def subscribe(self, callback: Any, **_: Any) -> None:
        callback(grpc.ChannelConnectivity.READY)

    def unsubscribe(self, callback: Any) -> None: ...

    def close(self) -> None: ...

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None: ...


def install() -> None:
    """Give out the stub where pymilvus asks gRPC for a channel; to be called before anything is instrumented."""
    responses = _responses()
    grpc.insecure_channel = lambda *_, **__: _Channel(responses)


def calls() -> dict[str, Callable[[], Any]]:
    """The calls to measure: one that carries nearly nothing, those that carry much, and those that fail."""
    from pymilvus import MilvusClient, MilvusException

    client = MilvusClient("http://127.0.0.1:19530")
    vector, wide = [0.1] * 8, [0.1] * DIMENSION
    rows = [{"id": number, "vector": wide} for number in range(ROWS)]
    long_filter = "price in [" + "1, " * 200_000 + "%d]"
    numbers = itertools.count()

    def fail(collection: str, data: Any) -> None:
        with contextlib.suppress(MilvusException):
            client.search(collection, data, filter="price > 10", limit=10)

    return {
        "search, filter of 600 kB": lambda: client.search(
            "small", [vector], filter=long_filter % next(numbers), limit=10
        ),
        "search that pymilvus rejects": lambda: fail("small", vector),
        "search that Milvus rejects": lambda: fail("missing", [vector]),
        "search": lambda: client.search("small", [vector], filter="price > 10", limit=10),
        "search, 100 x 768 back": lambda: client.search("wide", [wide], limit=ROWS, output_fields=["vector"]),
        "insert, 100 x 768": lambda: client.insert("wide", rows),
        "query, 100 x 768 back": lambda: client.query("wide", "id >= 0", output_fields=["vector"]),
    }


def _responses() -> dict[str, Any]:
    from pymilvus.grpc_gen import common_pb2, milvus_pb2, schema_pb2

    ok = common_pb2.Status()
    missing = common_pb2.Status(
        code=100,
        error_code=common_pb2.CollectionNotExists,
        reason="collection not found[database=default][collection=missing]",
    )
    vectors = schema_pb2.FieldData(
        type=schema_pb2.FloatVector,
        field_name="vector",
        field_id=101,
        vectors=schema_pb2.VectorField(
            dim=DIMENSION, float_vector=schema_pb2.FloatArray(data=[0.1] * (DIMENSION * ROWS))
        ),
    )
    ids = schema_pb2.LongArray(data=range(ROWS))
    hits = schema_pb2.SearchResultData(
        num_queries=1,
        top_k=ROWS,
        topks=[ROWS],
        scores=[0.5] * ROWS,
        ids=schema_pb2.IDs(int_id=ids),
        fields_data=[vectors],
        output_fields=["vector"],
    )
    id_column = schema_pb2.FieldData(
        type=schema_pb2.Int64, field_name="id", field_id=100, scalars=schema_pb2.ScalarField(long_data=ids)
    )
    fields = [
        schema_pb2.FieldSchema(fieldID=100, name="id", is_primary_key=True, data_type=schema_pb2.Int64),
        schema_pb2.FieldSchema(
            fieldID=101,
            name="vector",
            data_type=schema_pb2.FloatVector,
            type_params=[common_pb2.KeyValuePair(key="dim", value=str(DIMENSION))],
        ),
    ]
    few = schema_pb2.SearchResultData(
        num_queries=1,
        top_k=10,
        topks=[10],
        scores=[0.5] * 10,
        ids=schema_pb2.IDs(int_id=schema_pb2.LongArray(data=range(10))),
    )
    return {
        "Connect": milvus_pb2.ConnectResponse(status=ok, identifier=1),
        "DescribeCollection": milvus_pb2.DescribeCollectionResponse(
            status=ok, schema=schema_pb2.CollectionSchema(name="wide", fields=fields), collectionID=1
        ),
        "Search": {
            "missing": milvus_pb2.SearchResults(status=missing),
            "small": milvus_pb2.SearchResults(status=ok, results=few),
            "wide": milvus_pb2.SearchResults(status=ok, results=hits),
        },
        "Query": milvus_pb2.QueryResults(status=ok, fields_data=[id_column, vectors], output_fields=["id", "vector"]),
        "Insert": milvus_pb2.MutationResult(status=ok, insert_cnt=ROWS, IDs=schema_pb2.IDs(int_id=ids)),
    }
