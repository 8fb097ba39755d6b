"""What an operation's span says, whichever way pymilvus was called."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from inspect import signature
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode
from pymilvus import AsyncMilvusClient, MilvusClient, MilvusException
from pymilvus.client.async_grpc_handler import AsyncGrpcHandler
from pymilvus.client.prepare import Prepare

if TYPE_CHECKING:
    from collections.abc import Callable

    from client.tests.conftest import Telemetry
    from client.tests.fake_milvus import FakeMilvus

VECTOR = [0.1, 0.2, 0.3, 0.4]
ROWS = [{"id": number, "vector": VECTOR} for number in range(3)]
SEARCHES: dict[str, Callable[[Any], Any]] = {
    "keyword": lambda client: client.search(
        collection_name="c", data=[VECTOR, VECTOR], filter="price > 10", limit=5, output_fields=["id"]
    ),
    "positional": lambda client: client.search("c", [VECTOR, VECTOR], "price > 10", 5, ["id"]),
}


@pytest.mark.parametrize("style", SEARCHES)
def test_a_search_is_one_client_span_with_what_was_asked_and_found(
    client: MilvusClient, milvus: FakeMilvus, telemetry: Telemetry, instrument: Callable[..., Any], style: str
) -> None:
    instrument()
    SEARCHES[style](client)
    operation = telemetry.operation
    assert operation.name == "search c"
    assert operation.kind is SpanKind.CLIENT
    assert operation.status.status_code is StatusCode.UNSET
    assert dict(operation.attributes or {}) == {
        "db.system.name": "milvus",
        "db.operation.name": "search",
        "db.collection.name": "c",
        "db.namespace": "default",
        "db.query.text": "price > ?",
        "db.response.returned_rows": 10,
        "server.address": "127.0.0.1",
        "server.port": int(milvus.uri.rpartition(":")[2]),
        "milvus.limit": 5,
        "milvus.nq": 2,
        "milvus.output_fields": ("id",),
    }


@pytest.mark.parametrize("style", SEARCHES)
def test_an_async_search_says_the_same(
    milvus: FakeMilvus, telemetry: Telemetry, instrument: Callable[..., Any], style: str
) -> None:
    instrument()

    async def search() -> None:
        client = AsyncMilvusClient(milvus.uri)
        await SEARCHES[style](client)
        await client.close()

    asyncio.run(search())
    (operation,) = [span for span in telemetry.operations if span.name != "connect"]
    attributes = dict(operation.attributes or {})
    assert operation.name == "search c"
    assert attributes["db.response.returned_rows"] == 10
    assert attributes["db.query.text"] == "price > ?"


def test_an_async_client_connects_once_and_a_server_that_is_not_there_is_an_error(
    milvus: FakeMilvus, telemetry: Telemetry, instrument: Callable[..., Any]
) -> None:
    instrument()

    async def connect(uri: str, **options: Any) -> None:
        handler = AsyncGrpcHandler(uri=uri)
        try:
            await handler.ensure_channel_ready(**options)
            await handler.ensure_channel_ready()
        finally:
            await handler.close()

    asyncio.run(connect(milvus.uri))
    assert telemetry.operation.name == "connect"
    assert telemetry.operation.status.status_code is StatusCode.UNSET
    telemetry.clear()
    timeout = {"timeout": 0.2} if "timeout" in signature(AsyncGrpcHandler.ensure_channel_ready).parameters else {}
    if timeout:  # pymilvus 2.5 waits for ever
        with pytest.raises(MilvusException):
            asyncio.run(connect("http://127.0.0.1:1", **timeout))
        assert telemetry.operation.status.status_code is StatusCode.ERROR


def test_what_pymilvus_asks_meanwhile_is_part_of_the_operation(
    milvus: FakeMilvus, client: MilvusClient, telemetry: Telemetry, instrument: Callable[..., Any]
) -> None:
    instrument()
    client.insert("folded", ROWS)
    assert telemetry.operation.name == "insert folded"
    assert [name for name, _ in milvus.metadata] == ["DescribeCollection", "Insert"]
    context = telemetry.operation.context
    assert context is not None
    assert telemetry.rpcs
    assert all(span.parent and span.parent.span_id == context.span_id for span in telemetry.rpcs)


def test_what_an_operation_started_and_outlives_it_is_traced_for_itself(
    client: MilvusClient, telemetry: Telemetry, instrument: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    instrument()
    inside: list[contextvars.Context] = []
    prepare = Prepare.search_requests_with_expr

    def keep_the_context(*args: Any, **kwargs: Any) -> Any:
        inside.append(contextvars.copy_context())
        return prepare(*args, **kwargs)

    monkeypatch.setattr(Prepare, "search_requests_with_expr", keep_the_context)
    client.search("c", [VECTOR])
    telemetry.clear()
    inside[0].run(client.list_collections)
    assert telemetry.operation.name == "list_collections"


def test_an_operation_joins_the_span_that_the_application_has_open(
    client: MilvusClient, telemetry: Telemetry, instrument: Callable[..., Any]
) -> None:
    instrument()
    tracer = telemetry.tracer_provider.get_tracer("application")
    with tracer.start_as_current_span("GET /shop") as span:
        client.search("c", [VECTOR])
    assert telemetry.operation.parent == span.get_span_context()


def test_a_failure_has_milvus_code_and_message_and_puts_the_trace_id_on_the_exception(
    client: MilvusClient, telemetry: Telemetry, instrument: Callable[..., Any]
) -> None:
    instrument()
    with pytest.raises(MilvusException, match="collection not found") as caught:
        client.search("missing", [VECTOR])
    operation = telemetry.operation
    attributes = dict(operation.attributes or {})
    assert operation.status.status_code is StatusCode.ERROR
    assert operation.status.description == "collection not found[database=default][collection=missing]"
    assert attributes["db.response.status_code"] == "100"
    assert attributes["error.type"] == "100"
    assert operation.context is not None
    trace_id = f"{operation.context.trace_id:032x}"
    assert caught.value.trace_id == trace_id  # type: ignore[attr-defined]
    assert caught.value.__notes__ == [f"trace_id={trace_id}"]


def test_what_pymilvus_logs_of_a_failure_is_logged_inside_the_operation(
    client: MilvusClient, telemetry: Telemetry, instrument: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Log correlation is the SDK's: it takes the ids of the span that is current when something is logged."""
    current: list[int] = []

    class Correlated(logging.Handler):
        def emit(self, _: logging.LogRecord) -> None:
            current.append(trace.get_current_span().get_span_context().span_id)

    logger = logging.getLogger("pymilvus.decorators")
    monkeypatch.setattr(logger, "handlers", [Correlated()])
    monkeypatch.setattr(logger, "propagate", False)
    logger.setLevel(logging.ERROR)
    instrument()
    try:
        with pytest.raises(MilvusException):
            client.search("missing", [VECTOR])
    finally:
        logger.setLevel(logging.NOTSET)
    assert telemetry.operation.context is not None
    assert current == [telemetry.operation.context.span_id]


def test_an_exception_in_an_unsampled_trace_has_no_trace_id(
    client: MilvusClient, instrument: Callable[..., Any]
) -> None:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

    instrument(tracer_provider=TracerProvider(ALWAYS_OFF, shutdown_on_exit=False))
    with pytest.raises(MilvusException) as caught:
        client.search("missing", [VECTOR])
    assert not hasattr(caught.value, "trace_id")
    assert not hasattr(caught.value, "__notes__")


def test_a_call_that_pymilvus_refuses_is_a_failed_operation_without_rpcs(
    client: MilvusClient, telemetry: Telemetry, instrument: Callable[..., Any], milvus: FakeMilvus
) -> None:
    instrument()
    with pytest.raises(MilvusException):
        client.search("c", [VECTOR], limit="ten")
    assert telemetry.operation.status.status_code is StatusCode.ERROR
    assert (telemetry.operation.attributes or {})["error.type"] == "ParamError"
    assert "db.response.status_code" not in (telemetry.operation.attributes or {})
    assert not milvus.metadata


def test_a_timeout_has_grpcs_name_for_it_and_no_code_of_milvus(
    client: MilvusClient, milvus: FakeMilvus, telemetry: Telemetry, instrument: Callable[..., Any]
) -> None:
    instrument()
    milvus.release.clear()
    with pytest.raises((MilvusException, grpc.RpcError)):
        client.search("c", [VECTOR], timeout=0.1)
    assert (telemetry.operation.attributes or {})["error.type"] == "DEADLINE_EXCEEDED"
    assert "db.response.status_code" not in (telemetry.operation.attributes or {})
    assert telemetry.operation.status.status_code is StatusCode.ERROR
    assert (telemetry.rpcs[-1].attributes or {})["rpc.grpc.status_code"] == grpc.StatusCode.DEADLINE_EXCEEDED.value[0]


def test_the_query_text_has_its_literals_only_when_asked_for(
    client: MilvusClient, telemetry: Telemetry, instrument: Callable[..., Any]
) -> None:
    instrument(capture_query_text=True)
    client.query("c", filter="name == 'Ada'")
    assert (telemetry.operation.attributes or {})["db.query.text"] == "name == 'Ada'"


def test_get_is_named_as_it_was_called_and_described_by_the_query_it_makes(
    client: MilvusClient, telemetry: Telemetry, instrument: Callable[..., Any]
) -> None:
    instrument()
    client.get("c", [1, 2, 3])
    attributes = dict(telemetry.operation.attributes or {})
    assert telemetry.operation.name == "get c"
    assert attributes["db.query.text"] == "id in [?]"
    assert attributes["db.response.returned_rows"] == 3
    assert attributes["server.address"] == "127.0.0.1"


def test_no_vector_row_or_result_gets_into_a_span(
    client: MilvusClient, telemetry: Telemetry, instrument: Callable[..., Any]
) -> None:
    instrument()
    secret = 0.123456789
    rows = [{"id": 424242, "vector": [secret] * 4}, {"id": 434343, "vector": [secret] * 4}]
    client.insert("c", rows)
    client.search("c", [[secret] * 4], filter="name == 'Lovelace'", search_params={"params": {"ef": 64}})
    client.get("c", [424242])
    recorded = " ".join(span.to_json() for span in telemetry.spans)
    for secret_text in ("0.1234", "424242", "434343", "Lovelace", "0.5,"):
        assert secret_text not in recorded


@pytest.mark.parametrize("hook", ["request_hook", "response_hook"])
def test_a_broken_hook_does_not_break_the_call(
    client: MilvusClient, telemetry: Telemetry, instrument: Callable[..., Any], hook: str
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("broken hook")

    instrument(**{hook: broken})
    assert len(client.search("c", [VECTOR], limit=2)[0]) == 2
    assert telemetry.operation.status.status_code is StatusCode.UNSET


def test_hooks_get_the_arguments_by_name_and_the_result(
    client: MilvusClient, telemetry: Telemetry, instrument: Callable[..., Any]
) -> None:
    seen: list[Any] = []
    instrument(
        request_hook=lambda _, operation, arguments: seen.append((operation, dict(arguments)["limit"])),
        response_hook=lambda span, _, result: span.set_attribute("shop.hits", len(result[0])),
    )
    client.search("c", [VECTOR], "", 2)
    assert seen == [("search", 2)]
    assert (telemetry.operation.attributes or {})["shop.hits"] == 2


def test_a_hook_that_changes_the_arguments_changes_nothing_for_pymilvus(
    client: MilvusClient, telemetry: Telemetry, instrument: Callable[..., Any]
) -> None:
    instrument(request_hook=lambda _, __, arguments: arguments.update(limit=7))
    assert len(client.search(collection_name="c", data=[VECTOR], limit=2)[0]) == 2
    assert (telemetry.operation.attributes or {})["milvus.limit"] == 2


@pytest.mark.parametrize("surprise", ["arguments", "target", "span"])
def test_a_surprise_in_pymilvus_costs_the_span_and_not_the_call(
    client: MilvusClient, instrument: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, surprise: str
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("surprise")

    instrument()
    place = {
        "arguments": "milvus_otel_client.telemetry.Telemetry.read_request",
        "target": "milvus_otel_client.telemetry.target_of",
        "span": "opentelemetry.sdk.trace.Tracer.start_span",
    }[surprise]
    monkeypatch.setattr(place, broken)
    assert len(client.search("c", [VECTOR], limit=2)[0]) == 2


def test_durations_are_recorded_by_operation_failures_included(
    client: MilvusClient, telemetry: Telemetry, instrument: Callable[..., Any]
) -> None:
    instrument()
    client.search("c", [VECTOR])
    client.search("c", [VECTOR])
    with pytest.raises(MilvusException):
        client.search("missing", [VECTOR])
    found = {point.attributes["db.collection.name"]: point for point in telemetry.durations()}
    assert found["c"].count == 2
    assert "error.type" not in found["c"].attributes
    assert found["missing"].attributes["error.type"] == "100"
    assert found["missing"].attributes["db.response.status_code"] == "100"
    assert set(found["c"].attributes) == {
        "db.system.name",
        "db.operation.name",
        "db.collection.name",
        "db.namespace",
        "server.address",
        "server.port",
    }
    assert found["c"].explicit_bounds == (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10)
    assert 0 < found["c"].sum < 10


def test_suppressed_instrumentation_leaves_no_span_and_no_trace_context(
    client: MilvusClient, milvus: FakeMilvus, telemetry: Telemetry, instrument: Callable[..., Any]
) -> None:
    from opentelemetry.instrumentation.utils import suppress_instrumentation

    instrument()
    with suppress_instrumentation():
        client.search("c", [VECTOR])
    assert not telemetry.spans
    assert "traceparent" not in milvus.metadata_of("Search")[0]


def test_the_orm_is_traced_like_the_clients(
    milvus: FakeMilvus, telemetry: Telemetry, instrument: Callable[..., Any]
) -> None:
    import warnings

    from pymilvus import Collection, connections

    instrument()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        connections.connect(uri=milvus.uri)
        try:
            collection = Collection("c")
            telemetry.clear()
            collection.search([VECTOR], "vector", {"metric_type": "L2", "params": {"nprobe": 8}}, 4, expr="id > 1")
        finally:
            connections.disconnect("default")
    attributes = dict(telemetry.operation.attributes or {})
    assert telemetry.operation.name == "search c"
    assert attributes["milvus.anns_field"] == "vector"
    assert attributes["milvus.metric_type"] == "L2"
    assert attributes["milvus.nprobe"] == 8
    assert attributes["db.query.text"] == "id > ?"
    assert attributes["db.response.returned_rows"] == 4
