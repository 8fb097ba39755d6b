"""Calls with `_async=True`: the operation ends with the answer, not with the call."""

from __future__ import annotations

import threading
import warnings
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.trace import StatusCode
from pymilvus import Collection, MilvusException, connections

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from client.tests.conftest import Telemetry
    from client.tests.fake_milvus import FakeMilvus

VECTOR = [0.1, 0.2, 0.3, 0.4]
_PARAMETERS = {"metric_type": "L2"}


@pytest.fixture
def collection(milvus: FakeMilvus, instrument: Callable[..., Any]) -> Iterator[Collection]:
    instrument()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        connections.connect(uri=milvus.uri)
        yield Collection("c")
        connections.disconnect("default")


def _wait_for_operation(telemetry: Telemetry) -> Any:
    """gRPC calls back on a thread of its own."""
    pause = threading.Event()
    for _ in range(500):
        if telemetry.operations:
            return telemetry.operation
        pause.wait(0.01)
    raise AssertionError("the operation did not end")


def test_the_span_ends_when_the_answer_is_there(
    collection: Collection, milvus: FakeMilvus, telemetry: Telemetry
) -> None:
    telemetry.clear()
    milvus.release.clear()
    future = collection.search([VECTOR, VECTOR], "vector", _PARAMETERS, 5, _async=True)
    assert not telemetry.operations
    milvus.release.set()
    assert len(future.result()) == 2
    operation = _wait_for_operation(telemetry)
    assert operation.name == "search c"
    assert operation.attributes["db.response.returned_rows"] == 10
    assert operation.attributes["milvus.nq"] == 2
    assert operation.end_time > operation.start_time


def test_the_span_ends_though_nobody_asks_for_the_result(collection: Collection, telemetry: Telemetry) -> None:
    telemetry.clear()
    future = collection.search([VECTOR], "vector", _PARAMETERS, 5, _async=True)
    assert _wait_for_operation(telemetry).status.status_code is StatusCode.UNSET
    assert len(future.result()[0]) == 5


def test_a_failure_in_the_answer_fails_the_span_and_the_exception_has_the_trace_id(
    collection: Collection, telemetry: Telemetry
) -> None:
    collection._name = "missing"
    telemetry.clear()
    future = collection.search([VECTOR], "vector", _PARAMETERS, 5, _async=True)
    with pytest.raises(MilvusException, match="collection not found") as caught:
        future.result()
    operation = _wait_for_operation(telemetry)
    assert operation.status.status_code is StatusCode.ERROR
    assert operation.attributes["db.response.status_code"] == "100"
    assert caught.value.trace_id == f"{operation.context.trace_id:032x}"  # type: ignore[attr-defined]


def test_a_cancelled_future_fails_the_span(collection: Collection, milvus: FakeMilvus, telemetry: Telemetry) -> None:
    telemetry.clear()
    milvus.release.clear()
    future = collection.search([VECTOR], "vector", _PARAMETERS, 5, _async=True)
    future.cancel()
    operation = _wait_for_operation(telemetry)
    milvus.release.set()
    assert operation.status.status_code is StatusCode.ERROR
    assert operation.attributes["error.type"] == "CANCELLED"


def test_what_pymilvus_refuses_before_it_asks_fails_the_span(collection: Collection, telemetry: Telemetry) -> None:
    telemetry.clear()
    collection.insert([[1], [VECTOR]], _async=True).result()
    assert _wait_for_operation(telemetry).attributes["milvus.insert_count"] == 1
    telemetry.clear()
    future = collection.delete(None, _async=True)  # type: ignore[arg-type]
    assert _wait_for_operation(telemetry).status.status_code is StatusCode.ERROR
    with pytest.raises(MilvusException):
        future.result()
