"""The end of a process where nobody takes its spans: soon over, and one line says what was lost."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Any

import pytest

from client.tests.processes import SEARCH, SECONDS, environment, start, terminate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from client.tests.fake_milvus import FakeMilvus

_UNLIMITED_SECONDS = 10
"""The least that the exporters wait for when nothing limits them."""


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def _ended(milvus: FakeMilvus, endpoint: str, arguments: str, **variables: str) -> tuple[float, str]:
    """How long the end took, and what was said."""
    code = f"""
import milvus_otel_client
milvus_otel_client.setup("shop", endpoint={endpoint!r}, rpc_spans=False{arguments})
{SEARCH}
"""
    process = start(code, environment(milvus, **variables))
    assert process.stdout is not None
    assert process.stdout.readline() == "2\n"
    started = time.monotonic()
    out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, out) == (0, "")
    return time.monotonic() - started, err


@pytest.mark.parametrize(
    ("protocol", "reason"), [("grpc", "address lookup failed"), ("http/protobuf", "Connection refused")]
)
def test_where_nobody_listens_the_end_says_in_one_line_what_was_lost(
    milvus: FakeMilvus, protocol: str, reason: str
) -> None:
    variables = {"OTEL_EXPORTER_OTLP_PROTOCOL": protocol, "OTEL_PYTHON_MILVUS_EXIT_TIMEOUT": "1"}
    taken, said = _ended(milvus, "http://user:secret@127.0.0.1:1", "", **variables)
    assert taken < _UNLIMITED_SECONDS
    (line,) = said.splitlines()
    assert line.startswith(
        "milvus_otel_client: 2 spans lost at the end of the process: "
        "http://127.0.0.1:1 did not take them within 1 s (exit_timeout)"
    )
    assert reason in line
    assert "secret" not in line


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_where_nobody_answers_traces_and_metrics_together_take_no_longer_than_the_limit(
    milvus: FakeMilvus, silent: str, protocol: str
) -> None:
    taken, said = _ended(milvus, silent, ", metrics=True, exit_timeout=0.5", OTEL_EXPORTER_OTLP_PROTOCOL=protocol)
    assert taken < _UNLIMITED_SECONDS
    (line,) = said.splitlines()
    expected = f"2 spans and the last metrics lost at the end of the process: {silent} did not take them within 0.5 s"
    assert expected in line


def test_sigterm_where_nobody_answers_is_obeyed_within_the_limit(milvus: FakeMilvus, silent: str) -> None:
    code = f"""
import milvus_otel_client, signal
milvus_otel_client.setup("shop", endpoint={silent!r}, rpc_spans=False, exit_timeout=0.5)
{SEARCH}
signal.pause()
"""
    process = start(code, environment(milvus))
    assert process.stdout is not None
    assert process.stdout.readline() == "2\n"
    started = time.monotonic()
    terminate(process)
    _, said = process.communicate(timeout=SECONDS)
    assert (process.returncode, len(said.splitlines())) == (-15, 1)
    assert "2 spans lost at the end of the process" in said
    assert time.monotonic() - started < _UNLIMITED_SECONDS


@pytest.mark.parametrize(
    ("value", "error"), [("5", TypeError), (True, TypeError), (-1, ValueError), (float("inf"), ValueError)]
)
def test_a_limit_that_is_no_number_of_seconds_is_refused(value: Any, error: type[Exception]) -> None:
    import milvus_otel_client

    with pytest.raises(error, match=f"exit_timeout={value!r}: expected"):
        milvus_otel_client.setup(exit_timeout=value)
