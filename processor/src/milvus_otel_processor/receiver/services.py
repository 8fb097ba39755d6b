"""What the receiver does with the requests of each OTLP service."""

from __future__ import annotations

import logging
from time import monotonic
from typing import TYPE_CHECKING

from milvus_otel_processor.receiver.exports import FailedRequestError, InvalidRequestError, RefusedForNowError
from milvus_otel_processor.spans.schema import DecodeError, ResponseView
from milvus_otel_processor.telemetry.faults import FaultLog

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger(__name__)

TRACE_SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"
LOGS_SERVICE = "opentelemetry.proto.collector.logs.v1.LogsService"


def traces(ingest: Callable[[bytes], int]) -> Callable[[bytes], bytes]:
    """Return what takes in an ExportTraceServiceRequest; `ingest` returns how many of its spans it refused."""
    faults = FaultLog(_log, monotonic)

    def take(request: bytes) -> bytes:
        try:
            refused = ingest(request)
        except DecodeError as error:
            raise InvalidRequestError(f"not a valid ExportTraceServiceRequest: {error}") from None
        except RefusedForNowError:
            raise
        except Exception as error:  # noqa: BLE001 - a fault of ours costs this request and no other, is told and counted
            faults.tell(error, "taking a request in failed, it is lost: bytes=%d", len(request))
            raise FailedRequestError("the processor failed at it; its log says more") from None
        return _partial_success(refused) if refused else b""

    return take


def logs(ingest: Callable[[bytes], object]) -> Callable[[bytes], bytes]:
    """Return what takes in an ExportLogsServiceRequest: lines of Milvus' access log, or log records of all kinds."""
    faults = FaultLog(_log, monotonic)

    def take(request: bytes) -> bytes:
        try:
            ingest(request)
        except DecodeError as error:
            raise InvalidRequestError(f"not a valid ExportLogsServiceRequest: {error}") from None
        except RefusedForNowError:
            raise
        except Exception as error:  # noqa: BLE001 - likewise
            faults.tell(error, "taking a request of logs in failed, it is lost: bytes=%d", len(request))
            raise FailedRequestError("the processor failed at it; its log says more") from None
        return b""

    return take


def _partial_success(refused: int) -> bytes:
    answer = ResponseView()
    answer.partial_success.rejected_spans = refused
    answer.partial_success.error_message = b"a trace id is 16 bytes that are not all zero"
    return bytes(answer.SerializeToString())
