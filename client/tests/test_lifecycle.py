"""Importing, instrumenting and undoing it."""

from __future__ import annotations

import functools
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pymilvus
import pytest
from milvus_otel_client import MilvusInstrumentor
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor
from pymilvus import AsyncMilvusClient, Collection, MilvusClient
from pymilvus.client.async_grpc_handler import AsyncGrpcHandler
from pymilvus.client.grpc_handler import GrpcHandler

if TYPE_CHECKING:
    from collections.abc import Callable

    from client.tests.conftest import Telemetry
    from client.tests.fake_milvus import FakeMilvus

VECTOR = [0.1, 0.2, 0.3, 0.4]
_PATCHED = (GrpcHandler, AsyncGrpcHandler, MilvusClient, AsyncMilvusClient, Collection)


def _run(code: str, **environment: str) -> str:
    import os

    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_the_client_changes_nothing() -> None:
    code = """
import logging, os, sys
before = (dict(os.environ), list(sys.meta_path), list(logging.root.handlers), logging.root.level)
import milvus_otel_client
assert before == (dict(os.environ), list(sys.meta_path), list(logging.root.handlers), logging.root.level)
from opentelemetry import trace
assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
print([name for name in sys.modules if name.partition(".")[0] == "pymilvus"])
"""
    assert _run(code) == "[]"


def test_instrumenting_does_not_import_pymilvus_and_works_when_it_is_imported_later(milvus: FakeMilvus) -> None:
    code = f"""
import sys
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
import milvus_otel_client
exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
milvus_otel_client.MilvusInstrumentor().instrument(tracer_provider=provider)
assert "pymilvus" not in sys.modules
from pymilvus import MilvusClient
client = MilvusClient("{milvus.uri}")
client.search("c", [{VECTOR}])
print([span.name for span in exporter.get_finished_spans() if "db.system.name" in span.attributes])
"""
    assert _run(code) == "['connect', 'search c']"


def test_undone_before_pymilvus_is_imported_nothing_is_instrumented() -> None:
    code = """
from milvus_otel_client import MilvusInstrumentor
instrumentor = MilvusInstrumentor()
instrumentor.instrument()
instrumentor.uninstrument()
from pymilvus.client.grpc_handler import GrpcHandler
print("milvus_otel_client" in GrpcHandler.search.__code__.co_filename, "_stub" in vars(GrpcHandler))
"""
    assert _run(code) == "False False"


def test_uninstrument_leaves_pymilvus_exactly_as_it_was(
    client: MilvusClient, milvus: FakeMilvus, telemetry: Telemetry, instrument: Callable[..., MilvusInstrumentor]
) -> None:
    handler = _handler_of(client)
    before = [dict(vars(owner)) for owner in _PATCHED]
    attributes_before = dict(vars(handler))
    instrumentor = instrument()
    client.search("c", [VECTOR])
    assert vars(GrpcHandler)["search"] is not before[0]["search"]
    instrumentor.uninstrument()
    after = [dict(vars(owner)) for owner in _PATCHED]
    assert [list(state.items()) for state in after] == [list(state.items()) for state in before]
    assert vars(handler) == attributes_before
    telemetry.clear()
    milvus.metadata.clear()
    client.search("c", [VECTOR])
    assert not telemetry.spans
    assert "traceparent" not in milvus.metadata_of("Search")[0]


def test_instrumented_twice_there_is_one_span(
    client: MilvusClient, telemetry: Telemetry, instrument: Callable[..., MilvusInstrumentor]
) -> None:
    instrumentor = instrument()
    instrumentor.instrument()
    client.search("c", [VECTOR])
    assert telemetry.operation.name == "search c"


def test_instrumented_again_after_it_was_undone_there_is_one_span(
    client: MilvusClient, telemetry: Telemetry, instrument: Callable[..., MilvusInstrumentor]
) -> None:
    instrument().uninstrument()
    instrument()
    client.search("c", [VECTOR])
    assert telemetry.operation.name == "search c"


def test_what_somebody_else_wrapped_since_stays_and_is_silent(
    client: MilvusClient,
    telemetry: Telemetry,
    instrument: Callable[..., MilvusInstrumentor],
    caplog: pytest.LogCaptureFixture,
) -> None:
    instrumentor = instrument()
    ours = vars(GrpcHandler)["search"]
    GrpcHandler.search = functools.partialmethod(ours)
    try:
        instrumentor.uninstrument()
        assert "GrpcHandler.search was wrapped by something else" in caplog.text
        assert len(client.search("c", [VECTOR], limit=2)[0]) == 2
        assert not telemetry.spans
    finally:
        GrpcHandler.search = ours.__wrapped__


def test_with_no_provider_set_calls_work_and_carry_nothing(milvus: FakeMilvus) -> None:
    code = f"""
import milvus_otel_client
milvus_otel_client.MilvusInstrumentor().instrument()
from pymilvus import MilvusClient
print(len(MilvusClient("{milvus.uri}").search("c", [{VECTOR}], limit=2)[0]))
"""
    assert _run(code) == "2"
    assert "traceparent" not in milvus.metadata_of("Search")[0]


def test_an_unknown_option_is_refused_by_name(instrument: Callable[..., MilvusInstrumentor]) -> None:
    with pytest.raises(TypeError, match="rpc_span'"):
        instrument(rpc_span=False)
    assert not MilvusInstrumentor().is_instrumented_by_opentelemetry


def test_a_boolean_argument_that_is_none_is_refused(instrument: Callable[..., MilvusInstrumentor]) -> None:
    with pytest.raises(TypeError, match="rpc_spans='false': expected True or False"):
        instrument(rpc_spans="false")
    assert not MilvusInstrumentor().is_instrumented_by_opentelemetry


def test_a_misspelt_boolean_variable_is_told_of_and_the_default_taken(
    client: MilvusClient,
    telemetry: Telemetry,
    instrument: Callable[..., MilvusInstrumentor],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("OTEL_PYTHON_MILVUS_RPC_SPANS", "flase")
    instrument()
    (record,) = caplog.records
    expected = "OTEL_PYTHON_MILVUS_RPC_SPANS='flase': expected true or false; the default is taken: true"
    assert (record.levelname, record.getMessage()) == ("WARNING", expected)
    client.search("c", [VECTOR])
    assert telemetry.rpcs


def test_eight_threads_that_instrument_at_once_do_it_once(telemetry: Telemetry) -> None:
    instrumentors: set[MilvusInstrumentor] = set()
    together = threading.Barrier(8)

    def instrument() -> None:
        together.wait()
        instrumentor = MilvusInstrumentor()
        instrumentors.add(instrumentor)
        instrumentor.instrument(tracer_provider=telemetry.tracer_provider)

    threads = [threading.Thread(target=instrument) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (instrumentor,) = instrumentors
    assert "milvus_otel_client" in GrpcHandler.search.__code__.co_filename
    assert "milvus_otel_client" not in GrpcHandler.search.__wrapped__.__code__.co_filename
    instrumentor.uninstrument()
    assert "milvus_otel_client" not in GrpcHandler.search.__code__.co_filename


def test_the_instrumentor_is_what_opentelemetry_instrument_looks_for() -> None:
    from importlib.metadata import entry_points

    for name in ("milvus", "milvus_otel"):
        (entry_point,) = entry_points(group="opentelemetry_instrumentor", name=name)
        assert entry_point.load() is MilvusInstrumentor
    assert issubclass(MilvusInstrumentor, BaseInstrumentor)
    assert pymilvus.__version__.split(".")[0] in ("2", "3")


def _handler_of(client: MilvusClient) -> GrpcHandler:
    legacy = not hasattr(client, "_handler")
    handler = pymilvus.connections._fetch_handler(client._using) if legacy else client._handler
    assert isinstance(handler, GrpcHandler)
    return handler
