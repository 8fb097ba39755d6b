"""pymilvus, instrumented, talking to a server in this process."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from milvus_otel_client import MilvusInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pymilvus import MilvusClient

from client.tests.fake_milvus import FakeMilvus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Telemetry:
    """Where spans and metrics of a test end up."""

    def __init__(self) -> None:
        self.tracer_provider = TracerProvider(shutdown_on_exit=False)
        self._exporter = InMemorySpanExporter()
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self._reader = InMemoryMetricReader()
        self.meter_provider = MeterProvider([self._reader], shutdown_on_exit=False)

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        return self._exporter.get_finished_spans()

    @property
    def operations(self) -> list[ReadableSpan]:
        return [span for span in self.spans if "db.system.name" in (span.attributes or {})]

    @property
    def rpcs(self) -> list[ReadableSpan]:
        return [span for span in self.spans if "rpc.system" in (span.attributes or {})]

    @property
    def operation(self) -> ReadableSpan:
        (operation,) = self.operations
        return operation

    def clear(self) -> None:
        self._exporter.clear()

    def durations(self) -> list[Any]:
        """The data points of db.client.operation.duration."""
        data = self._reader.get_metrics_data()
        return [
            point
            for resource in (data.resource_metrics if data else [])
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == "db.client.operation.duration"
            for point in metric.data.data_points
        ]

    def shutdown(self) -> None:
        self.tracer_provider.shutdown()
        self.meter_provider.shutdown()


@pytest.fixture(autouse=True)
def quiet_pymilvus(monkeypatch: pytest.MonkeyPatch) -> None:
    """It logs each failed call with its traceback."""
    monkeypatch.setattr(logging.getLogger("pymilvus"), "level", logging.CRITICAL)


@pytest.fixture(scope="session")
def server() -> Iterator[FakeMilvus]:
    with FakeMilvus() as server:
        yield server


@pytest.fixture
def milvus(server: FakeMilvus) -> Iterator[FakeMilvus]:
    server.metadata.clear()
    yield server
    server.release.set()


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    telemetry = Telemetry()
    yield telemetry
    telemetry.shutdown()


@pytest.fixture
def instrument(telemetry: Telemetry) -> Iterator[Callable[..., MilvusInstrumentor]]:
    """Instrument with options; what is left is undone afterwards."""
    instrumentor = MilvusInstrumentor()

    def start(**options: Any) -> MilvusInstrumentor:
        providers = {"tracer_provider": telemetry.tracer_provider, "meter_provider": telemetry.meter_provider}
        instrumentor.instrument(**(providers | options))
        return instrumentor

    yield start
    if instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.uninstrument()


@pytest.fixture
def client(milvus: FakeMilvus) -> Iterator[MilvusClient]:
    """A client that exists before anything is instrumented."""
    client = MilvusClient(milvus.uri)
    milvus.metadata.clear()
    yield client
    client.close()
