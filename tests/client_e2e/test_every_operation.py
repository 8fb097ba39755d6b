"""Every public method of MilvusClient and AsyncMilvusClient is one operation, joined by Milvus, in each call style."""

from __future__ import annotations

import asyncio
import functools
import inspect
from typing import TYPE_CHECKING, Any

import pymilvus
import pytest
from pymilvus import MilvusClient

from tests.client_e2e import sweep
from tests.client_e2e.traces import Traces, attributes_of, is_error, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from milvus_otel_processor.demo.milvus import EmbeddedMilvus
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
_WORKS_ON_MILVUS_2_3 = {
    "create_alias",
    "create_collection",
    "create_database",
    "create_index",
    "create_partition",
    "create_role",
    "create_user",
    "delete",
    "describe_alias",
    "describe_collection",
    "describe_index",
    "describe_role",
    "describe_user",
    "drop_alias",
    "drop_collection",
    "drop_database",
    "drop_index",
    "drop_partition",
    "drop_role",
    "drop_user",
    "flush",
    "get",
    "get_collection_stats",
    "get_load_state",
    "grant_role",
    "has_collection",
    "insert",
    "list_collections",
    "list_databases",
    "list_indexes",
    "list_partitions",
    "list_roles",
    "list_users",
    "load_collection",
    "load_partitions",
    "optimize",
    "query",
    "release_collection",
    "release_partitions",
    "rename_collection",
    "revoke_role",
    "search",
    "upsert",
}
"""What must not fail; Milvus 2.3.5 cannot do all of the rest, and the operation's status says so."""
_CALL_STYLES = ("keyword", "positional")


@pytest.fixture
def client(milvus: EmbeddedMilvus, traces: Traces) -> Iterator[MilvusClient]:
    client = MilvusClient(milvus.uri)
    client.create_collection(sweep.COLLECTION, 4)
    client.insert(sweep.COLLECTION, sweep.ROWS)
    traces.clear()
    yield client
    for name in (sweep.COLLECTION, f"{sweep.COLLECTION}_created", f"{sweep.COLLECTION}_renamed"):
        client.drop_collection(name)
    client.close()


@pytest.mark.parametrize("name", ["MilvusClient", "AsyncMilvusClient"])
def test_every_public_name_of_a_client_is_swept_or_listed_with_the_reason(name: str) -> None:
    client = getattr(pymilvus, name, None)
    if client is None:
        pytest.skip("pymilvus 2.5.0 has no AsyncMilvusClient")
    public = {attribute for attribute in dir(client) if not attribute.startswith("_")}
    known = {*sweep.methods_of(client), *sweep.NO_REQUEST, *sweep.UNTRACED}
    assert not public - known


@pytest.mark.skipif(not hasattr(MilvusClient, "dump_messages"), reason="pymilvus 2.5 has no dump_messages")
def test_a_stream_is_no_operation_and_fails_as_without_the_instrumentation(
    client: MilvusClient, traces: Traces
) -> None:
    with pytest.raises(Exception, match="unknown method DumpMessages"):
        list(client.dump_messages("by-dev-rootcoord-dml_0", {"id": "1", "wal_name": "RocksMQ"}))
    assert not traces.operations()
    assert not traces.rpcs()


@pytest.mark.skipif(not hasattr(MilvusClient, "optimize"), reason="pymilvus 2.5 has no optimize")
def test_optimize_is_part_of_its_callers_trace_though_it_works_in_a_thread(
    client: MilvusClient, traces: Traces, tracer_provider: TracerProvider
) -> None:
    client.release_collection(sweep.COLLECTION)  # to load it anew, Milvus 2.3.5 would take for ever
    traces.clear()
    with tracer_provider.get_tracer("application").start_as_current_span("nightly") as span:
        client.optimize(sweep.COLLECTION, timeout=60)
    operation = traces.only_operation()
    assert operation.name == f"optimize {sweep.COLLECTION}"
    assert operation.parent == span.get_span_context()
    assert not is_error(operation)


@pytest.mark.parametrize("style", _CALL_STYLES)
def test_every_method_of_milvus_client_is_one_joined_operation(
    client: MilvusClient, traces: Traces, style: str
) -> None:
    record = _Record(traces)
    for name in sweep.methods_of(MilvusClient):
        args, kwargs = _arguments(MilvusClient, name, style)
        record.call(name, functools.partial(getattr(client, name), *args, **kwargs))
    record.check()


@pytest.mark.skipif(not hasattr(pymilvus, "AsyncMilvusClient"), reason="pymilvus 2.5.0 has no AsyncMilvusClient")
@pytest.mark.usefixtures("client")
@pytest.mark.parametrize("style", _CALL_STYLES)
def test_every_method_of_async_milvus_client_is_one_joined_operation(
    milvus: EmbeddedMilvus, traces: Traces, style: str
) -> None:
    async def sweep_all() -> _Record:
        record = _Record(traces)
        async_client = pymilvus.AsyncMilvusClient(milvus.uri)
        await async_client.list_collections() if hasattr(async_client, "list_collections") else None
        for name in sweep.methods_of(pymilvus.AsyncMilvusClient):
            args, kwargs = _arguments(pymilvus.AsyncMilvusClient, name, style)
            await record.call_async(name, getattr(async_client, name), args, kwargs)
        await async_client.close()
        return record

    asyncio.run(sweep_all()).check()


class _Record:
    """Calls methods one by one, and keeps what each left: its spans, and whether it raised."""

    def __init__(self, traces: Traces) -> None:
        self._traces = traces
        self._calls: list[tuple[str, list[ReadableSpan], BaseException | None]] = []

    def call(self, name: str, function: Callable[[], Any]) -> None:
        self._traces.clear()
        error = None
        try:
            function()
        except Exception as raised:  # noqa: BLE001 - which calls may fail is checked at the end
            error = raised
        self._calls.append((name, self._spans(), error))

    async def call_async(self, name: str, method: Callable[..., Any], args: Any, kwargs: Any) -> None:
        self._traces.clear()
        error = None
        try:
            result = method(*args, **kwargs)
            if inspect.isawaitable(result):
                await result
        except Exception as raised:  # noqa: BLE001
            error = raised
        self._calls.append((name, self._spans(), error))

    def _spans(self) -> list[ReadableSpan]:
        operations = self._traces.operations()
        wait_until(
            lambda: _all_rpcs_ended(operations, self._traces), f"rpc spans of {[span.name for span in operations]}"
        )
        return [*operations, *self._traces.rpcs()]

    def check(self) -> None:
        wrong = [
            f"{name}: {problem}" for name, spans, error in self._calls if (problem := _problem(name, spans, error))
        ]
        assert not wrong, "\n".join(wrong)
        failed = {
            name: repr(error) for name, _, error in self._calls if error is not None and name in _WORKS_ON_MILVUS_2_3
        }
        assert not failed
        self._traces.wait_until_joined(
            span for name, spans, error in self._calls if error is None for span in spans if _is_rpc(span)
        )


def _problem(name: str, spans: list[ReadableSpan], error: BaseException | None) -> str | None:
    operations = [span for span in spans if not _is_rpc(span)]
    if not operations and isinstance(error, AttributeError) and "GrpcHandler' object has no attribute" in str(error):
        return None  # pymilvus' client offers what its own handler does not have
    if len(operations) != 1:
        return f"operations {[span.name for span in operations]}, raised {error!r}"
    attributes = attributes_of(operations[0])
    operation, collection = sweep.operation_of(name), attributes.get("db.collection.name")
    wrong = {
        "operation": attributes["db.operation.name"] != operation,
        "name": operations[0].name != (f"{operation} {collection}" if collection else operation),
        "status": is_error(operations[0]) != (error is not None),
        "failure": error is not None and not ("error.type" in attributes and operations[0].status.description),
        "target": error is None and not {"db.namespace", "server.address", "server.port"} <= attributes.keys(),
    }
    found = [what for what, is_wrong in wrong.items() if is_wrong]
    return f"wrong {found} in {operations[0].name!r}: {attributes}, raised {error!r}" if found else None


def _arguments(client: type, name: str, style: str) -> tuple[list[Any], dict[str, Any]]:
    arguments = sweep.arguments_for(client, name)
    parameters = inspect.signature(getattr(client, name)).parameters
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    kwargs = {limit: value for limit, value in sweep.limits_of(name).items() if takes_any or limit in parameters}
    if style == "keyword":
        return [], arguments | kwargs
    return _positional(list(parameters.values())[1:], arguments, kwargs)


def _positional(
    parameters: list[inspect.Parameter], arguments: dict[str, Any], kwargs: dict[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """By position as far as the arguments go, with the defaults in between."""
    args: list[Any] = []
    rest = dict(arguments)
    for parameter in parameters:
        if not rest or parameter.kind is not parameter.POSITIONAL_OR_KEYWORD:
            break
        args.append(rest.pop(parameter.name) if parameter.name in rest else parameter.default)
    return args, rest | kwargs


def _is_rpc(span: ReadableSpan) -> bool:
    return "rpc.system" in (span.attributes or {})


def _all_rpcs_ended(operations: list[ReadableSpan], traces: Traces) -> bool:
    """An rpc that pymilvus starts as a future ends on gRPC's thread, a moment after the operation at most."""
    if all(is_error(operation) for operation in operations):
        return True
    ended = {span.parent.span_id for span in traces.rpcs() if span.parent}
    return all(operation.context is None or operation.context.span_id in ended for operation in operations)
