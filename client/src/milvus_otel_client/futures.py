"""Calls with ``_async=True``: pymilvus returns a future at once, and the operation ends when Milvus has answered."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from milvus_otel_client import errors
from milvus_otel_client.surprises import logger_for

if TYPE_CHECKING:
    from milvus_otel_client.operations import Operation
    from milvus_otel_client.telemetry import Call

_logger = logger_for(__name__)


def end_with_future(call: Call, operation: Operation, result: Any) -> bool:
    """Arrange for the call to end with the future that pymilvus returned; False if it returned none.

    pymilvus wraps gRPC's future into one of its own, whose ``result()`` parses the answer and raises in the thread that
    asks; gRPC's future knows when the answer is there, whether or not anyone asks.
    """
    early = getattr(result, "_exception", None)
    if isinstance(early, BaseException):
        call.fail(early)
        return True
    grpc_future = getattr(result, "_future", result)
    if not hasattr(grpc_future, "add_done_callback"):
        return False
    if grpc_future is not result:
        _add_trace_id_to_errors(call, result)
    grpc_future.add_done_callback(functools.partial(_on_done, call, operation))
    return True


def _on_done(call: Call, operation: Operation, grpc_future: Any) -> None:
    try:
        error = _error_of(grpc_future)
        if error is not None:
            call.fail(error)
            return
        answer = grpc_future.result()
        status = getattr(answer, "status", answer)
        if status.code:
            call.fail_with_code(status.code, status.reason)
            return
        for name, value in _counts(operation, answer).items():
            call.span.set_attribute(name, value)
    except Exception:
        _logger.exception("could not read the answer of %s", operation.name)
    call.succeed((), None)


def _error_of(grpc_future: Any) -> BaseException | None:
    if grpc_future.cancelled():
        return grpc_future if isinstance(grpc_future, BaseException) else RuntimeError("cancelled")
    error: BaseException | None = grpc_future.exception()
    return error


def _counts(operation: Operation, answer: Any) -> dict[str, Any]:
    """Read the counts of a mutation, or of a search, from gRPC's answer, which pymilvus has not parsed yet."""
    results = getattr(answer, "results", None)
    source = {
        "insert_count": getattr(answer, "insert_cnt", None),
        "delete_count": getattr(answer, "delete_cnt", None),
        "upsert_count": getattr(answer, "upsert_cnt", None),
    }
    found = {name: extract(source) for name, extract in operation.response}
    if results is not None:
        found = dict.fromkeys(found, sum(results.topks))
    return {name: value for name, value in found.items() if value is not None}


def _add_trace_id_to_errors(call: Call, future: Any) -> None:
    ask = future.result

    @functools.wraps(ask)
    def result(*args: Any, **kwargs: Any) -> Any:
        try:
            return ask(*args, **kwargs)
        except Exception as error:
            errors.add_trace_id(error, call.span)
            raise

    future.result = result
