"""What a user can choose, from arguments or from the environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from opentelemetry.trace import Span

from milvus_otel_client.checks import check_boolean, check_hook
from milvus_otel_client.environment import boolean

RequestHook = Callable[[Span, str, Mapping[str, Any]], None]
"""Called with the span, the operation's name and the call's arguments by name, before the call."""
ResponseHook = Callable[[Span, str, Any], None]
"""Called with the span, the operation's name and what pymilvus returned, after a call that did not fail."""

RPC_SPANS_VARIABLE = "OTEL_PYTHON_MILVUS_RPC_SPANS"
CAPTURE_QUERY_TEXT_VARIABLE = "OTEL_PYTHON_MILVUS_CAPTURE_QUERY_TEXT"
CAPTURE_ERROR_MESSAGES_VARIABLE = "OTEL_PYTHON_MILVUS_CAPTURE_ERROR_MESSAGES"


@dataclass(frozen=True, slots=True)
class Options:
    """Choices of one instrumentation; README.md says what each is for."""

    rpc_spans: bool = True
    capture_query_text: bool = False
    capture_error_messages: bool = True
    request_hook: RequestHook | None = None
    response_hook: ResponseHook | None = None


OPTION_NAMES = frozenset(field.name for field in fields(Options))


def options_from(
    *,
    rpc_spans: bool | None = None,
    capture_query_text: bool | None = None,
    capture_error_messages: bool | None = None,
    request_hook: RequestHook | None = None,
    response_hook: ResponseHook | None = None,
) -> Options:
    """Return the options: an argument that is not None wins over its environment variable.

    Raises TypeError for an argument of another type. A variable whose value is no boolean is told of in a warning, and
    the default is taken.
    """
    check_hook("request_hook", request_hook)
    check_hook("response_hook", response_hook)
    return Options(
        rpc_spans=choice("rpc_spans", rpc_spans, RPC_SPANS_VARIABLE, default=True),
        capture_query_text=choice("capture_query_text", capture_query_text, CAPTURE_QUERY_TEXT_VARIABLE, default=False),
        capture_error_messages=choice(
            "capture_error_messages", capture_error_messages, CAPTURE_ERROR_MESSAGES_VARIABLE, default=True
        ),
        request_hook=request_hook,
        response_hook=response_hook,
    )


def choice(name: str, argument: bool | None, variable: str, *, default: bool) -> bool:
    """Return the argument, or the variable where it is None; raise TypeError for an argument that is no boolean."""
    if argument is None:
        return boolean(variable, default=default)
    check_boolean(name, argument)
    return argument
