"""The OTLP/gRPC receiver: requests come in as bytes and go to the pipeline as they are."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from milvus_otel_processor.spans.schema import DecodeError, ResponseView
from milvus_otel_processor.telemetry.counters import Refused

if TYPE_CHECKING:
    from milvus_otel_processor.enrichment.access_log.logs import AccessLog
    from milvus_otel_processor.pipeline.pipeline import Pipeline
    from milvus_otel_processor.receiver.settings import ReceiverSettings, ServerTlsSettings
    from milvus_otel_processor.telemetry.counters import Telemetry

_log = logging.getLogger(__name__)

TRACE_SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"
LOGS_SERVICE = "opentelemetry.proto.collector.logs.v1.LogsService"
_MIB = 1024 * 1024
_THREADS = 4  # a request is handled under one lock; more threads would only wait for it


class PortError(Exception):
    """The endpoint cannot be listened on; the message says which, and what can be done."""


class Receiver:
    """Serves TraceService/Export, LogsService/Export for the access log if there is one, and the standard health service.

    gRPC itself inflates requests that are compressed.
    """

    def __init__(
        self,
        settings: ReceiverSettings,
        pipeline: Pipeline,
        telemetry: Telemetry,
        access_log: AccessLog | None = None,
    ) -> None:
        self._settings = settings.protocols.grpc
        self._pipeline = pipeline
        self._telemetry = telemetry
        self._health = health.HealthServicer()
        self._server = grpc.server(
            ThreadPoolExecutor(_THREADS, thread_name_prefix="receiver"),
            options=[
                ("grpc.max_receive_message_length", self._settings.max_recv_msg_size_mib * _MIB),
                (
                    "grpc.so_reuseport",
                    0,
                ),  # else a second processor on the same port would take half of the spans unseen
            ],
        )
        self._access_log = access_log
        exports = {TRACE_SERVICE: self._export}
        if access_log is not None:
            exports[LOGS_SERVICE] = self._export_logs
        self._services = ("", *exports)
        for service, export in exports.items():
            handlers = {"Export": grpc.unary_unary_rpc_method_handler(export)}
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)

    def start(self) -> str:
        """Listen, and return the endpoint with the port that was bound.

        Raises PortError where that is impossible, and where a file of the TLS settings is not what it should be.
        """
        host, _, port = self._settings.endpoint.rpartition(":")
        tls = self._settings.tls
        try:
            if tls is None:
                bound = self._server.add_insecure_port(self._settings.endpoint)
            else:
                bound = self._server.add_secure_port(self._settings.endpoint, _credentials(tls))
        except RuntimeError:
            bound = 0
        if not bound:
            raise PortError(
                f"receivers.otlp.protocols.grpc.endpoint: cannot listen on {self._settings.endpoint}: the port is taken, or the "
                f"address is not this machine's; stop what listens on port {port}, or name another endpoint"
            )
        self._server.start()
        for service in self._services:
            self._health.set(service, health_pb2.HealthCheckResponse.SERVING)
        return f"{host}:{bound}"

    def stop(self, grace: float) -> None:
        """Take no new requests, and wait up to `grace` seconds for those under way."""
        self._health.enter_graceful_shutdown()
        self._server.stop(grace).wait()

    def _export(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            refused = self._pipeline.ingest(request)
        except DecodeError as error:
            self._refuse(request, context, f"not a valid ExportTraceServiceRequest: {error}")
        return _partial_success(refused) if refused else b""

    def _export_logs(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        assert self._access_log is not None
        try:
            self._access_log.ingest(request)
        except DecodeError as error:
            self._refuse(request, context, f"not a valid ExportLogsServiceRequest: {error}")
        return b""

    def _refuse(self, request: bytes, context: grpc.ServicerContext, why: str) -> NoReturn:
        self._telemetry.refused_request(Refused.MALFORMED_REQUEST)
        _log.warning("refused a request that is not valid protobuf: peer=%s bytes=%d", context.peer(), len(request))
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, why)
        raise AssertionError  # abort has raised already


def _credentials(tls: ServerTlsSettings) -> grpc.ServerCredentials:
    pair = (_content("key_file", tls.key_file), _content("cert_file", tls.cert_file))
    authority = None if tls.client_ca_file is None else _content("client_ca_file", tls.client_ca_file)
    return grpc.ssl_server_credentials([pair], authority, require_client_auth=authority is not None)


def _content(setting: str, file: str) -> bytes:
    try:
        content = Path(file).read_bytes()
    except OSError as error:
        raise PortError(f"receivers.otlp.protocols.grpc.tls.{setting}: cannot read {file}: {error.strerror}") from None
    if b"-----BEGIN " not in content:  # gRPC would only say that the port cannot be listened on
        raise PortError(f"receivers.otlp.protocols.grpc.tls.{setting}: {file} is not a PEM file")
    return content


def _partial_success(refused: int) -> bytes:
    answer = ResponseView()
    answer.partial_success.rejected_spans = refused
    answer.partial_success.error_message = b"a trace id is 16 bytes that are not all zero"
    return answer.SerializeToString()
