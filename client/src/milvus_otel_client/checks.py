"""Arguments of the public functions: one of a wrong type or value is an error that names it, and what was expected."""

from __future__ import annotations

import difflib
import inspect
import re
import threading
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from milvus_otel_client.endpoints import fault_of, without_credentials

_ENDPOINT = "expected a URL such as http://localhost:4317"
_HEADERS = "expected names and values such as {'authorization': 'Bearer …'}"
_RESOURCE_ATTRIBUTES = "expected names and values such as {'deployment.environment.name': 'production'}"
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""RFC 9110, section 5.6.2."""
_MAX_SHOWN = 100


def check_setup(given: Mapping[str, Any]) -> None:
    """Raise TypeError or ValueError for the first argument of `setup` that is none of what is expected."""
    _check_text("service_name", given.get("service_name"), "expected a name such as 'shop'")
    check_endpoint(given.get("endpoint"))
    _check_headers(given.get("headers"))
    _check_resource_attributes(given.get("resource_attributes"))
    for name in (
        "insecure",
        "metrics",
        "flush_on_sigterm",
        "rpc_spans",
        "capture_query_text",
        "capture_error_messages",
    ):
        check_boolean(name, given.get(name))
    for name in ("request_hook", "response_hook"):
        check_hook(name, given.get(name))
    check_seconds("exit_timeout", given.get("exit_timeout"))


def check_names(function: str, given: Iterable[str], known: Collection[str]) -> None:
    """Raise TypeError for an argument that a function does not know, with the nearest one that it knows."""
    for name in given:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean {nearest[0]!r}?" if nearest else f"; expected {', '.join(sorted(known))}"
            raise TypeError(f"{function}() has no argument {name!r}{hint}")


def check_seconds(name: str, value: object) -> None:
    """Raise where a value is no time that can be waited for."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name}={_shown(value)}: expected a number of seconds")
    if not 0 <= value <= threading.TIMEOUT_MAX:
        raise ValueError(f"{name}={value!r}: expected seconds, 0 or more")


def check_boolean(name: str, value: object) -> None:
    """Raise where a value is neither True nor False: a text such as 'false' would count as true."""
    if value is not None and not isinstance(value, bool):
        raise TypeError(f"{name}={_shown(value)}: expected True or False")


def check_hook(name: str, value: object) -> None:
    """Raise where a value cannot be called, or would do nothing when it is called."""
    if value is None:
        return
    if not callable(value):
        raise TypeError(f"{name}={_shown(value)}: expected a function")
    if inspect.iscoroutinefunction(value):
        raise TypeError(f"{name}={_shown(value)}: expected a function that is not async: nobody awaits it")


def check_provider(name: str, value: object, method: str) -> None:
    """Raise where a value is no provider: OpenTelemetry asks it for a tracer, or a meter."""
    if value is not None and (isinstance(value, type) or not callable(getattr(value, method, None))):
        kind = "TracerProvider" if method == "get_tracer" else "MeterProvider"
        raise TypeError(f"{name}={_shown(value)}: expected a {kind} of OpenTelemetry")


def check_endpoint(value: object) -> None:
    """Raise where a value is no endpoint of OTLP, in any protocol. An empty text is as good as none."""
    _check_text("endpoint", value, _ENDPOINT)
    if value and isinstance(value, str) and (fault := fault_of(value, is_url=False)) is not None:
        raise ValueError(f"endpoint={without_credentials(value)!r}: {fault}; {_ENDPOINT}")


def _check_headers(value: object) -> None:
    # a header's value is a secret more often than not, and is not shown
    if value is None:
        return
    if not isinstance(value, Mapping):
        raise TypeError(f"headers: {_HEADERS}, not {_a(value)}")
    for name, text in value.items():
        if not isinstance(name, str) or not isinstance(text, str):
            of = f"the value of {name!r}" if isinstance(name, str) else f"the name {_shown(name)}"
            raise TypeError(f"headers: {of} is {_a(text if isinstance(name, str) else name)}; {_HEADERS}")
        if not _HEADER_NAME.fullmatch(name):
            raise ValueError(f"headers: {_shown(name)} cannot be the name of a header; {_HEADERS}")
        if not (text.isascii() and text.isprintable()):
            raise ValueError(f"headers: the value of {name!r} has a character that is not printable ASCII; {_HEADERS}")


def _check_resource_attributes(value: object) -> None:
    if value is None:
        return
    if not isinstance(value, Mapping):
        raise TypeError(f"resource_attributes={_shown(value)}: {_RESOURCE_ATTRIBUTES}")
    for name in value:
        if not isinstance(name, str) or not name:
            raise TypeError(f"resource_attributes: {_shown(name)} cannot be a name; {_RESOURCE_ATTRIBUTES}")


def _check_text(name: str, value: object, expected: str) -> None:
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{name}={_shown(value)}: {expected}")


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= _MAX_SHOWN else f"{shown[:_MAX_SHOWN]}…"


def _a(value: object) -> str:
    return f"a value of type {type(value).__name__}"
