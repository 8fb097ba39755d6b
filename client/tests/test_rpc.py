"""The view on a handler's stub, in the hands of an application that reaches into pymilvus."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING, Any
from unittest.mock import MagicMock

import pytest
from milvus_otel_client.rpc import StubView
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


def test_what_is_read_is_a_view_and_what_is_kept_is_pymilvus_own_stub(handler: GrpcHandler) -> None:
    assert isinstance(handler._stub, StubView)
    assert type(vars(handler)["_stub"]) is MilvusServiceStub
    assert handler._stub is handler._stub


def test_a_view_that_is_set_again_is_not_wrapped_in_a_view(handler: GrpcHandler) -> None:
    handler._stub = handler._stub
    assert type(vars(handler)["_stub"]) is MilvusServiceStub


def test_handlers_that_take_turns_keep_to_their_own_stubs(handler: GrpcHandler, milvus: FakeMilvus) -> None:
    other = GrpcHandler(uri=milvus.uri)
    first, second = handler._stub, other._stub
    assert first._stub is vars(handler)["_stub"]
    assert second._stub is vars(other)["_stub"]
    assert handler._stub is first
    assert other._stub is second


def test_a_view_does_not_keep_a_stub_alive_when_its_handler_has_gone(handler: GrpcHandler, milvus: FakeMilvus) -> None:
    other = GrpcHandler(uri=milvus.uri)
    stub = weakref.ref(other._stub._stub)
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
