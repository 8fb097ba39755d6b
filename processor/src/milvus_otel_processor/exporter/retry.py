"""Whether a failed request is sent again, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import RetryInfo
from grpc_status import rpc_status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from milvus_otel_processor.exporter.settings import RetrySettings

# https://opentelemetry.io/docs/specs/otlp/#failures; RESOURCE_EXHAUSTED only with a RetryInfo. The last two are not in that
# list: they are what a peer answers while a token or a certificate is being replaced, and that passes.
_RETRYABLE = frozenset(
    {
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
    }
)
# Servers in Go answer INTERNAL to what they cannot decode.
_ABOUT_THE_REQUEST = frozenset(
    {
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.UNKNOWN,
    }
)


def may_pass(error: grpc.RpcError) -> bool:
    """Tell whether a request that failed so is to be sent again: by the OTLP specification, and where credentials are refused."""
    code = error.code()
    return code in _RETRYABLE or (code is grpc.StatusCode.RESOURCE_EXHAUSTED and _retry_info(error) is not None)


def may_be_one_span(error: grpc.RpcError) -> bool:
    """Tell whether a request may have been refused for one of its spans alone: not decodable to the peer, or too large."""
    return error.code() in _ABOUT_THE_REQUEST


def requested_pause(error: grpc.RpcError, longest: float) -> float:
    """Return the pause that the peer asked for in a RetryInfo, `longest` at the most, or 0; seconds."""
    info = _retry_info(error)
    if info is None:
        return 0.0
    # By hand: what a peer writes there may be more than a timedelta holds.
    pause: float = info.retry_delay.seconds + info.retry_delay.nanos / 1e9
    return max(0.0, min(pause, longest))


def _retry_info(error: grpc.RpcError) -> RetryInfo | None:
    try:
        status = rpc_status.from_call(error)
        for detail in status.details if status is not None else ():
            info = RetryInfo()
            if detail.Unpack(info):
                return info
    except (ValueError, DecodeError, AttributeError):  # they contradict the status, or cannot be read: as good as none
        return None
    return None


def pauses(settings: RetrySettings, clock: Callable[[], float], random: Callable[[], float]) -> Iterator[float]:
    """Yield the pauses between tries, in seconds, until it is time to give up; `random` returns numbers from 0 to below 1.

    They are those of the Collector's `retry_on_failure`: an exponential back-off with a random part.
    """
    if not settings.enabled:
        return
    started = clock()
    interval = settings.initial_interval
    while True:
        spread = settings.randomization_factor * (2 * random() - 1)
        pause = interval * (1 + spread)
        if settings.max_elapsed_time and clock() + pause - started > settings.max_elapsed_time:
            return
        yield pause
        interval = min(interval * settings.multiplier, settings.max_interval)
