"""Connections that cannot be opened: each is one `connect` span that failed, wherever pymilvus gives up."""

from __future__ import annotations

import asyncio
import warnings
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.trace import StatusCode
from pymilvus import AsyncMilvusClient, MilvusClient, connections

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from client.tests.conftest import Telemetry
    from client.tests.fake_milvus import FakeMilvus

_SECRET = "hunter2"
_WRONG_URIS = [
    f"ftp://ann:{_SECRET}@host",
    _SECRET,
    f"./missing-{_SECRET}/file.db",
    "http://host:99999999",
]


def _connect_async(uri: str) -> None:
    async def connect() -> None:
        await AsyncMilvusClient(uri, timeout=0.5).list_collections()

    asyncio.run(connect())


def _connect_orm(uri: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        connections.connect("wrong", uri=uri, timeout=0.5)


_WAYS: dict[str, Callable[[str], Any]] = {
    "sync": lambda uri: MilvusClient(uri, timeout=0.5),
    "async": _connect_async,
    "orm": _connect_orm,
}


@pytest.mark.parametrize("uri", _WRONG_URIS)
@pytest.mark.parametrize("way", _WAYS)
def test_a_wrong_uri_is_a_failed_connect_that_does_not_tell_the_uri(
    telemetry: Telemetry, instrument: Callable[..., Any], way: str, uri: str
) -> None:
    instrument()
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which one differs by version
        _WAYS[way](uri)
    (span,) = telemetry.spans
    assert span.name == "connect"
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["error.type"] == type(caught.value).__qualname__
    assert _SECRET not in span.to_json()
    assert caught.value.trace_id  # type: ignore[attr-defined]
    (point,) = telemetry.durations()
    assert point.attributes["error.type"] == type(caught.value).__qualname__


@pytest.mark.parametrize("way", ["sync", "orm"])
def test_a_server_that_refuses_is_one_failed_connect_with_its_address_and_without_the_password(
    telemetry: Telemetry, instrument: Callable[..., Any], way: str
) -> None:
    instrument()
    with pytest.raises(Exception):  # noqa: B017, PT011
        _WAYS[way](f"http://ann:{_SECRET}@127.0.0.1:1")
    operation = telemetry.operation
    assert operation.name == "connect"
    assert (operation.status.description or "").startswith(("UNAVAILABLE: ", "FutureTimeoutError", "MilvusException"))
    assert "\n" not in (operation.status.description or "")
    assert (operation.attributes or {})["server.address"] == "127.0.0.1"
    assert not any(_SECRET in span.to_json() for span in telemetry.spans)


def test_a_milvus_lite_file_that_does_not_open_is_a_failed_connect(
    telemetry: Telemetry, instrument: Callable[..., Any], tmp_path: Path
) -> None:
    instrument()
    file = tmp_path / "broken.db"
    file.write_text("garbage", encoding="utf-8")
    with pytest.raises(Exception):  # noqa: B017, PT011 - Milvus Lite may not be installed
        MilvusClient(str(file))
    assert telemetry.operation.name == "connect"
    assert telemetry.operation.status.status_code is StatusCode.ERROR


def test_a_connection_that_opens_is_told_once(
    milvus: FakeMilvus, telemetry: Telemetry, instrument: Callable[..., Any]
) -> None:
    instrument()
    MilvusClient(milvus.uri, dedicated=True).close()
    assert telemetry.operation.name == "connect"
    assert telemetry.operation.status.status_code is StatusCode.UNSET


def test_a_failure_while_nothing_is_traced_is_not_told(telemetry: Telemetry, instrument: Callable[..., Any]) -> None:
    from opentelemetry.instrumentation.utils import suppress_instrumentation

    instrument()
    with suppress_instrumentation(), pytest.raises(Exception):  # noqa: B017, PT011
        MilvusClient("ftp://host")
    assert not telemetry.spans
