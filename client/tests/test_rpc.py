"""A handler's stub as a view, in the hands of an application that reaches into pymilvus."""

from __future__ import annotations

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from unittest.mock import MagicMock, patch

import grpc
import pytest
from milvus_otel_client import MilvusInstrumentor
from milvus_otel_client.held import HeldRpcs
from milvus_otel_client.rpc import StubView
from opentelemetry.trace import StatusCode
from pymilvus import MilvusClient, MilvusException
from pymilvus.client.grpc_handler import GrpcHandler
from pymilvus.grpc_gen.milvus_pb2_grpc import MilvusServiceStub

if TYPE_CHECKING:
    from collections.abc import Callable

    from client.tests.conftest import Telemetry
    from client.tests.fake_milvus import FakeMilvus


@pytest.fixture
def handler(milvus: FakeMilvus, instrument: Callable[..., Any]) -> GrpcHandler:
    instrument()
    return GrpcHandler(uri=milvus.uri)


def test_the_stub_stays_the_object_that_it_was_and_becomes_a_view(handler: GrpcHandler) -> None:
    stub = vars(handler)["_stub"]
    assert type(stub) is MilvusServiceStub
    assert handler._stub is stub
    assert isinstance(stub, StubView)
    assert isinstance(stub, MilvusServiceStub)
    assert type(stub).__qualname__ == "MilvusServiceStub"
    assert type(stub._stub) is MilvusServiceStub


def test_a_stub_is_as_it_was_when_nothing_is_instrumented_any_more(milvus: FakeMilvus) -> None:
    instrumentor = MilvusInstrumentor()
    instrumentor.instrument()
    handler = GrpcHandler(uri=milvus.uri)
    before = dict(vars(vars(handler)["_stub"]))
    assert handler.list_collections() == []
    assert vars(handler._stub) != before
    handler._stub.Search = fake = MagicMock()
    instrumentor.uninstrument()
    assert type(handler._stub) is MilvusServiceStub
    assert vars(handler._stub) == before | {"Search": fake}
    assert handler.list_collections() == []


def test_a_view_that_is_set_again_or_on_another_handler_is_not_seen_twice(
    handler: GrpcHandler, milvus: FakeMilvus, telemetry: Telemetry
) -> None:
    other = GrpcHandler(uri=milvus.uri)
    handler._stub = handler._stub
    other._stub = handler._stub
    telemetry.clear()
    other.list_collections()
    assert len(telemetry.rpcs) == 1
    assert type(handler._stub._stub) is MilvusServiceStub


def test_a_stub_that_many_threads_read_first_becomes_one_view(handler: GrpcHandler, telemetry: Telemetry) -> None:
    telemetry.clear()
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: handler.list_collections(), range(64))) == [[]] * 64
    assert type(handler._stub._stub) is MilvusServiceStub
    telemetry.clear()
    handler.list_collections()
    assert len(telemetry.rpcs) == 1


def test_a_view_does_not_keep_a_stub_alive_when_its_handler_has_gone(handler: GrpcHandler, milvus: FakeMilvus) -> None:
    other = GrpcHandler(uri=milvus.uri)
    stub = weakref.ref(other._stub)
    other.close()
    del other
    gc.collect()
    assert stub() is None


def test_a_fake_in_place_of_the_stub_is_left_alone(handler: GrpcHandler) -> None:
    fake = MagicMock()
    handler._stub = fake
    assert handler._stub is fake
    handler._stub = None
    assert handler._stub is None
    del handler._stub
    with pytest.raises(AttributeError, match="'GrpcHandler' object has no attribute '_stub'"):
        _ = handler._stub


def test_a_fake_rpc_in_the_stub_is_called_with_the_trace_context(handler: GrpcHandler, telemetry: Telemetry) -> None:
    handler._stub.ShowCollections = fake = MagicMock()
    fake.return_value.status.code = 0
    fake.return_value.status.error_code = 0
    fake.return_value.collection_names = ["a"]
    assert handler.list_collections() == ["a"]
    assert "traceparent" in dict(fake.call_args.kwargs["metadata"])
    assert [span.name for span in telemetry.rpcs] == ["/milvus.proto.milvus.MilvusService/ShowCollections"]


def test_an_rpc_that_the_stub_does_not_have_is_missed_as_without_the_view(handler: GrpcHandler) -> None:
    with pytest.raises(AttributeError, match="Teleport"):
        handler._stub.Teleport  # noqa: B018


def test_what_is_set_on_an_rpc_reaches_what_is_called(milvus: FakeMilvus, instrument: Callable[..., Any]) -> None:
    instrument()
    handler = GrpcHandler(channel=MagicMock())
    handler._stub.Connect.side_effect = ValueError("faked")
    with pytest.raises(ValueError, match="faked"):
        handler._stub.Connect(None)
    handler._stub.Search.side_effect = None
    handler._stub.Search.return_value = "found"
    assert handler._stub.Search(None, timeout=1) == "found"
    assert handler._stub.Search.call_args.kwargs["timeout"] == 1
    handler._stub.Search.future.side_effect = KeyError("faked")
    with pytest.raises(KeyError, match="faked"):
        handler._stub.Search.future(None)
    assert handler._stub.Search.future.call_count == 1
    handler._stub.Search.future = MagicMock(return_value="future")
    assert handler._stub.Search.future(None) == "future"
    del handler._stub.Search.return_value
    assert "side_effect" in dir(handler._stub.Connect)


def test_an_attribute_of_gRPCs_own_rpc_can_be_set_and_is_set_there(handler: GrpcHandler) -> None:  # noqa: N802
    handler._stub.ShowCollections.note = "mine"
    assert handler._stub._stub.ShowCollections.note == "mine"


def test_an_rpc_that_is_patched_for_a_while_is_gRPCs_own_again_afterwards(  # noqa: N802
    handler: GrpcHandler, telemetry: Telemetry
) -> None:
    own = handler._stub._stub.ShowCollections
    faked = patch.object(handler._stub, "ShowCollections", side_effect=ValueError("faked"))
    with faked, pytest.raises(MilvusException, match="faked"):
        handler.list_collections()
    assert handler._stub._stub.ShowCollections is own
    telemetry.clear()
    handler.list_collections()
    assert len(telemetry.rpcs) == 1


def test_a_method_that_is_set_on_a_handler_is_what_the_client_calls(
    client: MilvusClient, instrument: Callable[..., Any]
) -> None:
    instrument()
    handler = client._get_connection()
    handler.list_collections = MagicMock(return_value=["faked"])
    try:
        assert client.list_collections() == ["faked"]
    finally:
        del handler.list_collections


def test_the_stub_lists_its_rpcs(handler: GrpcHandler) -> None:
    assert {"Search", "Insert"} <= set(dir(handler._stub))
    handler._stub.Search = MagicMock()
    del handler._stub.Search
    with pytest.raises(AttributeError):
        handler._stub.Search  # noqa: B018


class _Refusing(grpc.RpcError):
    def __init__(self, code: grpc.StatusCode) -> None:
        self._code = code

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return "two\n\tlines"


def _refuse(handler: GrpcHandler, rpc: str, *codes: grpc.StatusCode) -> MagicMock:
    fake = MagicMock(side_effect=[*map(_Refusing, codes), *[MagicMock(status=MagicMock(code=0, error_code=0))] * 9])
    setattr(handler._stub, rpc, fake)
    return fake


def _statuses(telemetry: Telemetry) -> list[tuple[str, StatusCode, str | None]]:
    return [
        (span.name.rpartition("/")[2], span.status.status_code, span.status.description) for span in telemetry.spans
    ]


def test_an_rpc_that_the_server_does_not_know_and_pymilvus_does_without_is_no_error(
    handler: GrpcHandler, telemetry: Telemetry
) -> None:
    _refuse(handler, "AllocTimestamp", grpc.StatusCode.UNIMPLEMENTED)
    assert handler.alloc_timestamp() == 0
    rpc, operation = telemetry.spans
    assert [span.status.status_code for span in (rpc, operation)] == [StatusCode.UNSET] * 2
    assert (rpc.attributes or {})["rpc.grpc.status_code"] == 12
    assert "error.type" not in (rpc.attributes or {})
    assert rpc.end_time
    assert operation.end_time
    assert rpc.end_time <= operation.end_time


def test_an_rpc_that_fails_its_operation_is_an_error_in_one_line(handler: GrpcHandler, telemetry: Telemetry) -> None:
    _refuse(handler, "ShowCollections", grpc.StatusCode.PERMISSION_DENIED)
    with pytest.raises(grpc.RpcError):
        handler.list_collections()
    told = "PERMISSION_DENIED: two lines"
    assert _statuses(telemetry) == [
        ("ShowCollections", StatusCode.ERROR, told),
        ("list_collections", StatusCode.ERROR, told),
    ]


def test_an_rpc_that_is_tried_again_was_an_error_though_the_operation_is_none(
    handler: GrpcHandler, telemetry: Telemetry
) -> None:
    _refuse(handler, "ShowCollections", grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAVAILABLE)
    handler.list_collections()
    assert [status for _, status, _ in _statuses(telemetry)] == [
        StatusCode.ERROR,
        StatusCode.ERROR,
        StatusCode.UNSET,
        StatusCode.UNSET,
    ]


@pytest.mark.parametrize(
    ("code", "status"),
    [(grpc.StatusCode.UNIMPLEMENTED, StatusCode.UNSET), (grpc.StatusCode.UNAVAILABLE, StatusCode.ERROR)],
)
def test_outside_of_an_operation_an_rpc_that_the_server_does_not_know_is_no_error(
    handler: GrpcHandler, telemetry: Telemetry, code: grpc.StatusCode, status: StatusCode
) -> None:
    """As for heartbeats of newer versions."""
    _refuse(handler, "GetVersion", code)
    with pytest.raises(grpc.RpcError):
        handler._stub.GetVersion(None)
    assert [span.status.status_code for span in telemetry.spans] == [status]


def test_failed_rpcs_that_wait_for_their_operation_are_bounded(handler: GrpcHandler, telemetry: Telemetry) -> None:
    held = HeldRpcs()
    for number in range(40):
        span = telemetry.tracer_provider.get_tracer("t").start_span(str(number))
        held.add(f"/rpc{number}", span, "UNIMPLEMENTED", None, is_unknown=True)
    assert len(telemetry.spans) == 24
    held.end(is_failed=False)
    assert len(telemetry.spans) == 40
