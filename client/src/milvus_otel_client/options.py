"""What a user can choose, from arguments or from the environment."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from opentelemetry.trace import Span

RequestHook = Callable[[Span, str, Mapping[str, Any]], None]
"""Called with the span, the operation's name and the call's arguments by name, before the call."""
ResponseHook = Callable[[Span, str, Any], None]
"""Called with the span, the operation's name and what pymilvus returned, after a call that did not fail."""

RPC_SPANS_VARIABLE = "OTEL_PYTHON_MILVUS_RPC_SPANS"
CAPTURE_QUERY_TEXT_VARIABLE = "OTEL_PYTHON_MILVUS_CAPTURE_QUERY_TEXT"
CAPTURE_ERROR_MESSAGES_VARIABLE = "OTEL_PYTHON_MILVUS_CAPTURE_ERROR_MESSAGES"
_TRUE = ("true", "1", "yes", "on")
_FALSE = ("false", "0", "no", "off")


@dataclass(frozen=True, slots=True)
class Options:
    """Choices of one instrumentation; README.md says what each is for."""

    rpc_spans: bool = True
    capture_query_text: bool = False
    capture_error_messages: bool = True
    request_hook: RequestHook | None = None
    response_hook: ResponseHook | None = None


def options_from(
    *,
    rpc_spans: bool | None = None,
    capture_query_text: bool | None = None,
    capture_error_messages: bool | None = None,
    request_hook: RequestHook | None = None,
    response_hook: ResponseHook | None = None,
) -> Options:
    """Return the options: an argument that is not None wins over its environment variable.

    Raises ValueError for a variable whose value is no boolean, and TypeError for a hook that cannot be called.
    """
    for name, hook in (("request_hook", request_hook), ("response_hook", response_hook)):
        if hook is not None and not callable(hook):
            raise TypeError(f"{name}={hook!r}: expected a function")
    return Options(
        rpc_spans=_boolean(RPC_SPANS_VARIABLE, default=True) if rpc_spans is None else rpc_spans,
        capture_query_text=(
            _boolean(CAPTURE_QUERY_TEXT_VARIABLE, default=False) if capture_query_text is None else capture_query_text
        ),
        capture_error_messages=(
            _boolean(CAPTURE_ERROR_MESSAGES_VARIABLE, default=True)
            if capture_error_messages is None
            else capture_error_messages
        ),
        request_hook=request_hook,
        response_hook=response_hook,
    )


def _boolean(variable: str, *, default: bool) -> bool:
    text = os.environ.get(variable, "").strip().lower()
    if not text:
        return default
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(f"{variable}={text!r}: expected true or false")
