"""``setup``: traces, and metrics if asked for, to an OTLP endpoint, and pymilvus instrumented, in one line."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from opentelemetry import metrics as metrics_api
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.environment_variables import OTEL_PYTHON_DISABLED_INSTRUMENTATIONS
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from milvus_otel_client.instrumentor import MilvusInstrumentor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milvus_otel_client.options import RequestHook, ResponseHook

_logger = logging.getLogger(__name__)
_OTEL_METRICS_EXPORTER = "OTEL_METRICS_EXPORTER"
ENTRY_POINT = "milvus"
"""The name by which ``OTEL_PYTHON_DISABLED_INSTRUMENTATIONS`` switches this instrumentation off."""


def setup(
    service_name: str | None = None,
    *,
    endpoint: str | None = None,
    insecure: bool | None = None,
    headers: Mapping[str, str] | None = None,
    resource_attributes: Mapping[str, str] | None = None,
    metrics: bool | None = None,
    rpc_spans: bool | None = None,
    capture_query_text: bool | None = None,
    capture_error_messages: bool | None = None,
    request_hook: RequestHook | None = None,
    response_hook: ResponseHook | None = None,
) -> trace.TracerProvider:
    """Send this process' traces over OTLP/gRPC, and trace every call of pymilvus. Returns the provider in use.

    What is left out comes from the standard variables: ``OTEL_SERVICE_NAME``, ``OTEL_RESOURCE_ATTRIBUTES``,
    ``OTEL_EXPORTER_OTLP_ENDPOINT`` and its relatives, ``OTEL_TRACES_SAMPLER``, ``OTEL_BSP_*``, ``OTEL_SDK_DISABLED``.
    The endpoint defaults to ``http://localhost:4317``, where the Collector listens. Spans and metrics are flushed when
    the process exits.

    ``metrics`` sends ``db.client.operation.duration`` to the same endpoint, which then has to take metrics; left out,
    that is done where ``OTEL_METRICS_EXPORTER`` says ``otlp``.

    Where the application has set a provider already, that one is used and nothing is added to it. A second call does
    nothing more.
    """
    resource = _resource(service_name, resource_attributes)
    entries = None if headers is None else dict(headers)
    provider = trace.get_tracer_provider()
    if isinstance(provider, trace.ProxyTracerProvider):
        provider = TracerProvider(resource=resource)  # it flushes its processor at exit
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint, insecure, headers=entries)))
        trace.set_tracer_provider(provider)
    if (_is_metrics_exporter_otlp() if metrics is None else metrics) and not _is_meter_provider_set():
        reader = PeriodicExportingMetricReader(OTLPMetricExporter(endpoint, insecure, headers=entries))
        metrics_api.set_meter_provider(MeterProvider([reader], resource))
    instrumentor = MilvusInstrumentor()
    if _is_disabled():
        _logger.info("pymilvus is not traced: %s", OTEL_PYTHON_DISABLED_INSTRUMENTATIONS)
    elif not instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.instrument(
            rpc_spans=rpc_spans,
            capture_query_text=capture_query_text,
            capture_error_messages=capture_error_messages,
            request_hook=request_hook,
            response_hook=response_hook,
        )
    return provider


def _resource(service_name: str | None, attributes: Mapping[str, str] | None) -> Resource:
    named = {} if service_name is None else {SERVICE_NAME: service_name}
    return Resource.create({**(attributes or {}), **named})


def _is_metrics_exporter_otlp() -> bool:
    return "otlp" in (name.strip() for name in os.environ.get(_OTEL_METRICS_EXPORTER, "").split(","))


def _is_meter_provider_set() -> bool:
    # the API has no public name for the class that stands there until one is set
    return type(metrics_api.get_meter_provider()).__name__ != "_ProxyMeterProvider"


def _is_disabled() -> bool:
    disabled = os.environ.get(OTEL_PYTHON_DISABLED_INSTRUMENTATIONS, "").split(",")
    return bool({"*", ENTRY_POINT} & {name.strip() for name in disabled})
