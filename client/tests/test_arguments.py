"""Wrong types and values of the public arguments: each is an error that names the argument and what was expected."""

from __future__ import annotations

import re
import threading
from typing import Any

import milvus_otel_client
import pytest
from milvus_otel_client import MilvusInstrumentor
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

_URL = "expected a URL such as http://localhost:4317"
_NAMES_AND_VALUES = "expected names and values such as {"


async def _async_hook(*_: Any) -> None:
    pass


@pytest.fixture(autouse=True)
def _nothing_is_made() -> Any:
    """An argument is refused before anything is made."""
    before = trace.get_tracer_provider()
    yield
    assert trace.get_tracer_provider() is before
    assert not MilvusInstrumentor().is_instrumented_by_opentelemetry


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        pytest.param("service_name", 14317, "service_name=14317: expected a name such as 'shop'", id="service_name"),
        pytest.param("endpoint", 14317, f"endpoint=14317: {_URL}", id="endpoint number"),
        pytest.param("endpoint", b"http://h:4317", f"endpoint=b'http://h:4317': {_URL}", id="endpoint bytes"),
        pytest.param("endpoint", ["a" * 500], f"endpoint=['{'a' * 98}…: {_URL}", id="endpoint long"),
        pytest.param("insecure", "false", "insecure='false': expected True or False", id="insecure"),
        pytest.param("metrics", "yes", "metrics='yes': expected True or False", id="metrics"),
        pytest.param("flush_on_sigterm", 0, "flush_on_sigterm=0: expected True or False", id="flush_on_sigterm"),
        pytest.param("rpc_spans", "false", "rpc_spans='false': expected True or False", id="rpc_spans"),
        pytest.param("capture_query_text", 1, "capture_query_text=1: expected True or", id="capture_query_text"),
        pytest.param("capture_error_messages", "", "capture_error_messages='': ex", id="capture_error_messages"),
        pytest.param("request_hook", "print", "request_hook='print': expected a function", id="request_hook"),
        pytest.param("response_hook", _async_hook, "expected a function that is not async", id="response_hook"),
        pytest.param("headers", "a=secret", f"headers: {_NAMES_AND_VALUES}", id="headers text"),
        pytest.param("headers", {"a": 1}, "headers: the value of 'a' is a value of type int", id="headers value"),
        pytest.param("headers", {1: "secret"}, "headers: the name 1 is a value of type int", id="headers name"),
        pytest.param("resource_attributes", "a=b", "resource_attributes='a=b': expected names", id="resource text"),
        pytest.param("resource_attributes", {1: "b"}, "resource_attributes: 1 cannot be a name", id="resource name"),
        pytest.param("exit_timeout", "5", "exit_timeout='5': expected a number of seconds", id="exit_timeout"),
    ],
)
def test_an_argument_of_setup_of_a_wrong_type_is_named_with_what_was_expected(name: str, value: Any, said: str) -> None:
    with pytest.raises(TypeError, match=re.escape(said)) as raised:
        milvus_otel_client.setup(**{name: value})
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        pytest.param("endpoint", "http://h:99999", f": port out of range 0-65535; {_URL}", id="port too large"),
        pytest.param("endpoint", "h:99999", f"endpoint='h:99999': the port is not from 1 to 65535; {_URL}", id="host"),
        pytest.param("endpoint", "http://h:0", "endpoint='http://h:0': the port is not from 1 to 65535", id="port 0"),
        pytest.param("endpoint", "http://h:port", ": port could not be cast to integer", id="port no number"),
        pytest.param("endpoint", "http://", f"endpoint='http://': the host is missing; {_URL}", id="no host"),
        pytest.param("endpoint", "http:h:4317", "// is missing behind http: or https:", id="no slashes"),
        pytest.param("endpoint", "http://user:secret@a b", "endpoint='http://a b': there is a blank", id="blank"),
        pytest.param("headers", {"a b": "secret"}, "headers: 'a b' cannot be the name of a header", id="header name"),
        pytest.param("headers", {"a": "secret\n"}, "the value of 'a' has a character", id="header with a line end"),
        pytest.param("headers", {"a": "secret é"}, "the value of 'a' has a character", id="header beyond ASCII"),
        pytest.param("exit_timeout", -1, "exit_timeout=-1: expected seconds, 0 or more", id="exit_timeout"),
        pytest.param("exit_timeout", 2 * threading.TIMEOUT_MAX, "expected seconds, 0 or more", id="more than waits"),
    ],
)
def test_an_argument_of_setup_of_a_wrong_value_is_named_with_what_was_expected(
    name: str, value: Any, said: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(said)) as raised:
        milvus_otel_client.setup(**{name: value})
    assert str(raised.value).startswith(name)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("tracer_provider", "sdk", "tracer_provider='sdk': expected a TracerProvider of OpenTelemetry"),
        ("tracer_provider", TracerProvider, "expected a TracerProvider of OpenTelemetry"),  # the class, not one
        ("meter_provider", 5, "meter_provider=5: expected a MeterProvider of OpenTelemetry"),
        ("rpc_span", False, "MilvusInstrumentor.instrument() has no argument 'rpc_span'; did you mean 'rpc_spans'?"),
        ("zzz", 1, "no argument 'zzz'; expected capture_error_messages, capture_query_text, meter_provider, "),
        ("request_hook", 5, "request_hook=5: expected a function"),
    ],
    ids=["provider text", "provider class", "meter provider", "misspelt", "unknown", "hook"],
)
def test_a_wrong_argument_of_instrument_is_named_with_what_was_expected(name: str, value: Any, said: str) -> None:
    with pytest.raises(TypeError, match=re.escape(said)):
        MilvusInstrumentor().instrument(**{name: value})


@pytest.mark.parametrize(("value", "error"), [("1", TypeError), (True, TypeError), (-1, ValueError)])
def test_a_timeout_of_flush_that_is_no_number_of_seconds_is_refused(value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=f"timeout={value!r}: expected"):
        milvus_otel_client.flush(value)
