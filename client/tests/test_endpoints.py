"""What can be an endpoint, and what is said where its http:// is missing."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from milvus_otel_client import endpoints
from milvus_otel_client.endpoints import GRPC_EXPORTER_LOGGER, fault_of
from milvus_otel_client.exporters import METRICS, TRACES, Target, chosen

from client.tests.processes import SEARCH, SECONDS, environment, operations, start
from tests.client_e2e.traces import Receiver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from client.tests.fake_milvus import FakeMilvus

_VARIABLE = "OTEL_EXPORTER_OTLP_ENDPOINT"
_HANDSHAKE = "Tls handshake failed (TSI_PROTOCOL_FAILURE): SSL_ERROR_SSL: WRONG_VERSION_NUMBER"
_ADVICE = (
    "{source}={endpoint} begins with neither http:// nor https://, so TLS is spoken, and the handshake failed: "
    "if the receiver takes no TLS, write http://here:4317"
)


@pytest.fixture(autouse=True)
def _own_advice(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What an earlier test named is not advised of in this one."""
    for name in ("OTEL_EXPORTER_OTLP_PROTOCOL", _VARIABLE, "OTEL_EXPORTER_OTLP_INSECURE"):
        monkeypatch.delenv(name, raising=False)
    advice = endpoints._SchemeAdvice()
    monkeypatch.setattr(endpoints, "SCHEME_ADVICE", advice)
    yield
    logging.getLogger(GRPC_EXPORTER_LOGGER).removeFilter(advice)


@pytest.mark.parametrize(
    "endpoint",
    [
        "localhost:4317",
        "127.0.0.1:4317",
        "[::1]:4317",
        "http:4317",
        "dns:///here:4317",
        "unix:///run/otlp.sock",
        "http://localhost:4317",
        "HTTPS://here",
        "https://here:4317/",
        "http://user:password@here:4317",
        "http://[::1]:1",
    ],
)
def test_all_that_grpc_has_names_for_is_an_endpoint(endpoint: str) -> None:
    assert fault_of(endpoint, is_url=False) is None


@pytest.mark.parametrize("endpoint", ["localhost:4318", "127.0.0.1:4318", "htp://here:4318", "here"])
def test_http_needs_a_url(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, endpoint: str) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    monkeypatch.setenv(_VARIABLE, endpoint)
    assert not chosen(METRICS, [], Target())
    (message,) = caplog.messages
    assert message == (
        f"milvus_otel_client: no metrics are exported: {_VARIABLE}={endpoint!r}: http:// or https:// is missing; "
        "expected a URL such as http://localhost:4318"
    )


@pytest.mark.parametrize("endpoint", ["http://here:4317x", "http://", "http:here:4317", "here: 4317", "http://[::1"])
def test_a_variable_that_cannot_be_an_endpoint_is_one_line_and_nothing_is_exported(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, endpoint: str
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", endpoint)
    assert not chosen(TRACES, [], Target())
    (message,) = caplog.messages
    assert message.startswith(
        f"milvus_otel_client: no traces are exported: OTEL_EXPORTER_OTLP_TRACES_ENDPOINT={endpoint!r}: "
    )


@pytest.mark.parametrize(
    ("target", "variable", "source"),
    [
        (Target("here:4317"), "", "endpoint"),
        (Target(), "here:4317", _VARIABLE),
        (Target(), "htp://here:4317", _VARIABLE),
    ],
    ids=["argument", "variable", "misspelt scheme"],
)
def test_a_handshake_that_fails_without_a_scheme_is_explained_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, target: Target, variable: str, source: str
) -> None:
    monkeypatch.setenv(_VARIABLE, variable)
    chosen(TRACES, [], target)
    exporter = logging.getLogger(GRPC_EXPORTER_LOGGER)
    exporter.warning("Transient error while exporting to here:4317: Connection refused")
    assert len(caplog.messages) == 1  # it has nothing to do with TLS
    exporter.warning("Transient error while exporting to here:4317: %s", _HANDSHAKE)
    exporter.error("Failed to export to here:4317: %s", _HANDSHAKE)
    (said,) = [message for message in caplog.messages if message.startswith("milvus_otel_client: ")]
    assert said == "milvus_otel_client: " + _ADVICE.format(source=source, endpoint=variable or "here:4317")


@pytest.mark.parametrize(
    ("endpoint", "variables", "said"),
    [
        ("http://here:4317", {}, _HANDSHAKE),
        ("https://here:4317", {}, _HANDSHAKE),
        ("here:4317", {"OTEL_EXPORTER_OTLP_INSECURE": "true"}, _HANDSHAKE),
        ("here:4317", {}, "Tls handshake failed: CERTIFICATE_VERIFY_FAILED"),  # TLS is what it takes
    ],
    ids=["http", "https", "insecure", "certificate"],
)
def test_a_handshake_that_fails_for_another_reason_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    endpoint: str,
    variables: dict[str, str],
    said: str,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    chosen(TRACES, [], Target(endpoint))
    # another text in each: the SDK leaves out what it has said just before
    logging.getLogger(GRPC_EXPORTER_LOGGER).warning(f"{endpoint} {variables}: exporting to here:4317: {said}")  # noqa: G004
    assert len(caplog.messages) == 1


def _run(milvus: FakeMilvus, receiver: Receiver, **variables: str) -> str:
    code = f"import milvus_otel_client; milvus_otel_client.setup(rpc_spans=False, exit_timeout=20)\n{SEARCH}"
    # the exporter gives up after 3 s, and the end has patience with a slow machine
    to = {"GRPC_VERBOSITY": "NONE", "OTEL_EXPORTER_OTLP_TIMEOUT": "4", _VARIABLE: receiver.endpoint, **variables}
    process = start(code, environment(milvus, None, **to))
    out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, out) == (0, "2\n"), err
    return err


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def test_where_http_is_missing_the_end_says_so_in_its_line(milvus: FakeMilvus, receiver: Receiver) -> None:
    (line,) = _run(milvus, receiver).splitlines()
    assert line.startswith(f"milvus_otel_client: 2 spans lost at the end of the process: {receiver.endpoint} did not")
    assert line.endswith(f"if the receiver takes no TLS, write http://{receiver.endpoint}")
    assert not receiver.spans()


def test_an_endpoint_without_a_scheme_works_where_it_is_said_to_be_insecure(
    milvus: FakeMilvus, receiver: Receiver
) -> None:
    assert not _run(milvus, receiver, OTEL_EXPORTER_OTLP_INSECURE="true")
    assert operations(receiver) == ["connect", "search c"]
