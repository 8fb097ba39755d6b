"""A real Milvus whose spans come back here over OTLP, and pymilvus instrumented by what is tested."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from milvus_otel_client import MilvusInstrumentor
from milvus_otel_processor.demo.milvus import EmbeddedMilvus, MilvusSettings
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.client_e2e.traces import Receiver, Traces

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture(scope="session")
def milvus(receiver: Receiver) -> Iterator[EmbeddedMilvus]:
    # Milvus' Go SDK keeps spans for 5 s otherwise
    os.environ["OTEL_BSP_SCHEDULE_DELAY"] = "100"
    settings = MilvusSettings(otlp_endpoint=receiver.endpoint, sample_fraction=0, access_log_format=None)
    try:
        with EmbeddedMilvus(settings) as milvus:
            yield milvus
    finally:
        del os.environ["OTEL_BSP_SCHEDULE_DELAY"]


@pytest.fixture
def tracer_provider() -> Iterator[TracerProvider]:
    provider = TracerProvider(shutdown_on_exit=False)
    yield provider
    provider.shutdown()


@pytest.fixture
def metrics() -> InMemoryMetricReader:
    return InMemoryMetricReader()


@pytest.fixture
def instrumentor(tracer_provider: TracerProvider, metrics: InMemoryMetricReader) -> Iterator[MilvusInstrumentor]:
    instrumentor = MilvusInstrumentor()
    meter_provider = MeterProvider([metrics], shutdown_on_exit=False)
    instrumentor.instrument(tracer_provider=tracer_provider, meter_provider=meter_provider)
    yield instrumentor
    if instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.uninstrument()
    meter_provider.shutdown()


@pytest.fixture
def traces(
    tracer_provider: TracerProvider,
    instrumentor: MilvusInstrumentor,
    receiver: Receiver,
) -> Traces:
    exporter = InMemorySpanExporter()
    tracer_provider.add_span_processor(SimpleSpanProcessor(exporter))
    return Traces(exporter, receiver)
