"""What a failed call is: Milvus' code, the error's type, and the trace id on the exception itself."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import grpc
from opentelemetry.trace import Span, Status, StatusCode, TraceFlags

from milvus_otel_client import attributes

_CONNECT_FAILED = 2
_CLIENT_SIDE = (1, _CONNECT_FAILED)
"""``UNEXPECTED_ERROR`` and ``CONNECT_FAILED``: codes that pymilvus gives to exceptions which it raises by itself."""
_UNEXPECTED_ERROR = 1
"""What ``compatible_code``, the code of Milvus 2.2 and before, is in an exception that pymilvus raises by itself."""
_MAX_CHAIN = 8
_TOLD = "_milvus_otel_told"
_PLAIN_MODULES = ("builtins", "pymilvus", "asyncio", "grpc")
"""Whose classes are known by their names alone; of others the module is told, since ``error`` is the name of many."""


def describe(error: BaseException, *, is_answer: bool = False) -> dict[str, str]:
    """Return ``error.type``, and ``db.response.status_code`` where the error is Milvus' own answer.

    ``is_answer`` says that it is for sure: it repeats what Milvus was seen to answer.

    As the conventions have it the type equals the status code where there is one. Otherwise it is gRPC's name for the
    failure (``UNAVAILABLE``), or the class of the exception that was the cause.
    """
    code = milvus_code_of(error, is_answer=is_answer)
    if code is not None:
        return response_code(code)
    chain = chain_of(error)
    for link in chain:
        if (grpc_code := grpc_code_of(link)) is not None:
            return {attributes.ERROR_TYPE: grpc_code.name}
    return {attributes.ERROR_TYPE: type_name(chain[min(1, len(chain) - 1)])}


def type_name(error: BaseException) -> str:
    """Return the name of the error's class, with its module unless that is plain."""
    error_type = type(error)
    module = error_type.__module__
    if module.partition(".")[0] in _PLAIN_MODULES:
        return error_type.__qualname__
    return f"{module}.{error_type.__qualname__}"


def chain_of(error: BaseException) -> list[BaseException]:
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


def grpc_code_of(error: BaseException) -> grpc.StatusCode | None:
    """Return the code that a ``grpc.RpcError`` has, or, after retries, a MilvusException."""
    code = getattr(error, "code", None)
    if callable(code):
        code = code()
    return code if isinstance(code, grpc.StatusCode) else None


def milvus_code_of(error: BaseException, *, is_answer: bool = False) -> int | None:
    """Return the code of Milvus' answer; None for an error that is pymilvus' own, gRPC's or Python's."""
    if not _is_milvus_exception(type(error)):  # type: ignore[arg-type] # mypy takes classes for their instances
        return None
    code = getattr(error, "code", None)
    if not isinstance(code, int) or code <= 0:
        return None
    is_own = not is_answer and code in _CLIENT_SIDE
    return None if is_own and getattr(error, "compatible_code", None) == _UNEXPECTED_ERROR else code


@lru_cache(maxsize=64)
def _is_milvus_exception(error_type: type[BaseException]) -> bool:
    return any(parent.__name__ == "MilvusException" for parent in error_type.__mro__)


def response_code(code: int) -> dict[str, str]:
    """Return the attributes for a code that Milvus answered with."""
    return {attributes.DB_RESPONSE_STATUS_CODE: str(int(code)), attributes.ERROR_TYPE: str(int(code))}


def set_failed(span: Span, error_attributes: dict[str, Any], message: str | None) -> None:
    """Give the span the status ERROR, with the message, if there is to be one, and the attributes."""
    if span.is_recording():
        span.set_attributes(error_attributes)
        span.set_status(Status(StatusCode.ERROR, message))


def add_trace_id(error: BaseException, span: Span) -> None:
    """Put the trace id on the exception, as the attribute ``trace_id`` and as a note in its traceback, once.

    Only where the trace is sampled: an id that no backend knows helps nobody.
    """
    number, _, _, flags, _, is_valid = span.get_span_context()
    if not is_valid or not flags & TraceFlags.SAMPLED or getattr(error, "trace_id", None) is not None:
        return
    trace_id = f"{number:032x}"
    error.trace_id = trace_id  # type: ignore[attr-defined]
    error.add_note(f"trace_id={trace_id}")


def set_told(error: BaseException) -> None:
    """Mark an error as the failure of an operation that has a span."""
    setattr(error, _TOLD, True)


def is_told(error: BaseException) -> bool:
    """Tell whether an error, or what caused it, is the failure of an operation that has a span."""
    return any(hasattr(link, _TOLD) for link in chain_of(error))
