"""``setup``: traces to an OTLP endpoint, and pymilvus instrumented, in one line."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.environment_variables import OTEL_PYTHON_DISABLED_INSTRUMENTATIONS
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from milvus_otel_client.instrumentor import MilvusInstrumentor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milvus_otel_client.options import RequestHook, ResponseHook

_logger = logging.getLogger(__name__)
ENTRY_POINT = "milvus"
"""The name by which ``OTEL_PYTHON_DISABLED_INSTRUMENTATIONS`` switches this instrumentation off."""


def setup(
    service_name: str | None = None,
    *,
    endpoint: str | None = None,
    insecure: bool | None = None,
    headers: Mapping[str, str] | None = None,
    resource_attributes: Mapping[str, str] | None = None,
    rpc_spans: bool | None = None,
    capture_query_text: bool | None = None,
    request_hook: RequestHook | None = None,
    response_hook: ResponseHook | None = None,
) -> trace.TracerProvider:
    """Send this process' traces over OTLP/gRPC, and trace every call of pymilvus. Returns the provider in use.

    What is left out comes from the standard variables: ``OTEL_SERVICE_NAME``, ``OTEL_RESOURCE_ATTRIBUTES``,
    ``OTEL_EXPORTER_OTLP_ENDPOINT`` and its relatives, ``OTEL_TRACES_SAMPLER``, ``OTEL_BSP_*``, ``OTEL_SDK_DISABLED``.
    The endpoint defaults to ``http://localhost:4317``, where the Collector listens. Spans are
    flushed when the process exits.

    Where the application has set a provider already, that one is used and nothing is added to it. A second call does
    nothing more.
    """
    provider = trace.get_tracer_provider()
    if isinstance(provider, trace.ProxyTracerProvider):
        provider = _provider(service_name, resource_attributes, _exporter(endpoint, insecure, headers))
        trace.set_tracer_provider(provider)
    instrumentor = MilvusInstrumentor()
    if _is_disabled():
        _logger.info("pymilvus is not traced: %s", OTEL_PYTHON_DISABLED_INSTRUMENTATIONS)
    elif not instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.instrument(
            rpc_spans=rpc_spans,
            capture_query_text=capture_query_text,
            request_hook=request_hook,
            response_hook=response_hook,
        )
    return provider


def _exporter(endpoint: str | None, insecure: bool | None, headers: Mapping[str, str] | None) -> OTLPSpanExporter:
    return OTLPSpanExporter(endpoint, insecure, headers=None if headers is None else dict(headers))


def _provider(
    service_name: str | None, resource_attributes: Mapping[str, str] | None, exporter: OTLPSpanExporter
) -> TracerProvider:
    attributes = dict(resource_attributes or {})
    if service_name is not None:
        attributes[SERVICE_NAME] = service_name
    # shutdown_on_exit is the SDK's default: it flushes the processor
    provider = TracerProvider(resource=Resource.create(attributes))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def _is_disabled() -> bool:
    disabled = os.environ.get(OTEL_PYTHON_DISABLED_INSTRUMENTATIONS, "").split(",")
    return bool({"*", ENTRY_POINT} & {name.strip() for name in disabled})
