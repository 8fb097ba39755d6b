"""What the receiver does with the requests of each OTLP service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milvus_otel_processor.receiver.exports import InvalidRequestError
from milvus_otel_processor.spans.schema import DecodeError, ResponseView

if TYPE_CHECKING:
    from collections.abc import Callable

TRACE_SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"
LOGS_SERVICE = "opentelemetry.proto.collector.logs.v1.LogsService"


def traces(ingest: Callable[[bytes], int]) -> Callable[[bytes], bytes]:
    """Return what takes in an ExportTraceServiceRequest; `ingest` returns how many of its spans it refused."""

    def take(request: bytes) -> bytes:
        try:
            refused = ingest(request)
        except DecodeError as error:
            raise InvalidRequestError(f"not a valid ExportTraceServiceRequest: {error}") from None
        return _partial_success(refused) if refused else b""

    return take


def logs(ingest: Callable[[bytes], object]) -> Callable[[bytes], bytes]:
    """Return what takes in an ExportLogsServiceRequest with lines of Milvus' access log."""

    def take(request: bytes) -> bytes:
        try:
            ingest(request)
        except DecodeError as error:
            raise InvalidRequestError(f"not a valid ExportLogsServiceRequest: {error}") from None
        return b""

    return take


def _partial_success(refused: int) -> bytes:
    answer = ResponseView()
    answer.partial_success.rejected_spans = refused
    answer.partial_success.error_message = b"a trace id is 16 bytes that are not all zero"
    return bytes(answer.SerializeToString())
