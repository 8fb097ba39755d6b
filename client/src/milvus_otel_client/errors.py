"""What a failed call says: Milvus' code, the error's type, and the trace id on the exception itself."""

from __future__ import annotations

from typing import Any

import grpc
from opentelemetry.trace import Span, Status, StatusCode, format_trace_id

from milvus_otel_client import attributes

_CONNECT_FAILED = 2
_CLIENT_SIDE = (1, _CONNECT_FAILED)
"""``UNEXPECTED_ERROR`` and ``CONNECT_FAILED``: codes that pymilvus gives to exceptions which it raises by itself."""
_UNEXPECTED_ERROR = 1
"""What ``compatible_code``, the code of Milvus 2.2 and before, is in an exception that pymilvus raises by itself."""
_MAX_DESCRIPTION = 1024
_MAX_CHAIN = 8


def describe(error: BaseException) -> dict[str, str]:
    """Return ``error.type``, and ``db.response.status_code`` where the error is Milvus' own answer.

    As the conventions have it the type equals the status code where there is one. Otherwise it is gRPC's name for the
    failure (``UNAVAILABLE``), or the class of the exception that was the cause.
    """
    code = _milvus_code(error)
    if code is not None:
        return response_code(code)
    chain = _chain(error)
    for link in chain:
        if (name := _grpc_code_name(link)) is not None:
            return {attributes.ERROR_TYPE: name}
    return {attributes.ERROR_TYPE: type(chain[min(1, len(chain) - 1)]).__qualname__}


def _chain(error: BaseException) -> list[BaseException]:
    """Return the error and its causes.

    pymilvus' ``raise e from e`` makes an error its own cause, and what it came from is left in the context; of other
    errors the context may be the application's own business.
    """
    chain = [error]
    while len(chain) < _MAX_CHAIN:
        last = chain[-1]
        before = last.__cause__
        if before is last and getattr(last, "code", None) == _CONNECT_FAILED:
            before = last.__context__
        if before is None or before in chain:
            break
        chain.append(before)
    return chain


def _grpc_code_name(error: BaseException) -> str | None:
    """Return the name of the ``grpc.StatusCode`` that a ``grpc.RpcError`` or, after retries, a MilvusException has."""
    code = getattr(error, "code", None)
    if callable(code):
        code = code()
    return code.name if isinstance(code, grpc.StatusCode) else None


def _milvus_code(error: BaseException) -> int | None:
    if not any(parent.__name__ == "MilvusException" for parent in type(error).__mro__):
        return None
    code = getattr(error, "code", None)
    if not isinstance(code, int) or code <= 0:
        return None
    is_answer = code not in _CLIENT_SIDE or getattr(error, "compatible_code", None) != _UNEXPECTED_ERROR
    return code if is_answer else None


def response_code(code: int) -> dict[str, str]:
    """Return the attributes for a code that Milvus answered with."""
    return {attributes.DB_RESPONSE_STATUS_CODE: str(int(code)), attributes.ERROR_TYPE: str(int(code))}


def message_of(error: BaseException) -> str:
    """Return the message without the decoration of ``str(error)``, and not longer than a status should be."""
    message = getattr(error, "message", None)
    text = message if isinstance(message, str) and message else f"{type(error).__name__}: {error}"
    return text[:_MAX_DESCRIPTION]


def set_failed(span: Span, error_attributes: dict[str, Any], message: str) -> None:
    """Give the span the status ERROR, with the message and the attributes."""
    if span.is_recording():
        span.set_attributes(error_attributes)
        span.set_status(Status(StatusCode.ERROR, message))


def add_trace_id(error: BaseException, span: Span) -> None:
    """Put the trace id on the exception, as the attribute ``trace_id`` and as a note in its traceback, once.

    Only where the trace is sampled: an id that no backend knows helps nobody.
    """
    context = span.get_span_context()
    if not context.is_valid or not context.trace_flags.sampled or getattr(error, "trace_id", None) is not None:
        return
    trace_id = format_trace_id(context.trace_id)
    error.trace_id = trace_id  # type: ignore[attr-defined]
    error.add_note(f"trace_id={trace_id}")
