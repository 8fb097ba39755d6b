"""What the standard variables ask `setup` for: which exporters, over which protocol, to where."""

from __future__ import annotations

import importlib
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from grpc import Compression
from milvus_otel_client.exporters import METRICS, TRACES, Target, chosen, names
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as OverGrpc
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as OverHttp
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export import ConsoleSpanExporter

from client.tests.processes import SEARCH, SECONDS, environment, operations, start
from tests.client_e2e.traces import Receiver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from client.tests.fake_milvus import FakeMilvus

_SETUP = "import milvus_otel_client; milvus_otel_client.setup({arguments})\n"


class HttpReceiver:
    """An OTLP/HTTP receiver that remembers paths, headers and names of spans."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.names: list[str] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
                if self.path.endswith("/v1/traces"):
                    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                        receiver.names += [span.name for scope in resource.scope_spans for span in scope.spans]
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"

    @property
    def paths(self) -> Counter[str]:
        return Counter(path for path, _ in self.requests)


@pytest.fixture
def http() -> Iterator[HttpReceiver]:
    receiver = HttpReceiver()
    thread = threading.Thread(target=receiver.server.serve_forever)
    thread.start()
    yield receiver
    receiver.server.shutdown()
    thread.join()
    receiver.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)


def _run(milvus: FakeMilvus, arguments: str = "", receiver: Receiver | None = None, **variables: str) -> str:
    """What a program with these variables prints, on both of its outputs."""
    process = start(_SETUP.replace("{arguments}", arguments) + SEARCH, environment(milvus, receiver, **variables))
    out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, err
    return (out + err).removeprefix("2\n")


def _made(signal: Any = TRACES, target: Target = Target()) -> list[Any]:  # noqa: B008 - never changed
    return [each.make() for each in chosen(signal, names(signal), target)]


def test_http_is_spoken_where_the_protocol_says_so(milvus: FakeMilvus, http: HttpReceiver) -> None:
    variables = {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_EXPORTER_OTLP_ENDPOINT": http.endpoint}
    assert not _run(milvus, "rpc_spans=False, headers={'X-Tenant': 'shop'}", **variables)
    assert sorted(http.names) == ["connect", "search c"]
    ((path, headers),) = http.requests
    assert (path, headers["x-tenant"]) == ("/v1/traces", "shop")


@pytest.mark.parametrize("endpoint", ["http://here:4318", "http://here:4318/", "http://here:4318/v1/traces"])
def test_over_http_the_endpoint_is_the_one_of_grpc_or_the_whole_address(
    monkeypatch: pytest.MonkeyPatch, endpoint: str
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    (exporter,) = _made(target=Target(endpoint))
    assert exporter._endpoint == "http://here:4318/v1/traces"


def test_metrics_go_over_http_too(milvus: FakeMilvus, http: HttpReceiver) -> None:
    variables = {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
    assert not _run(milvus, f"endpoint='{http.endpoint}', metrics=True", **variables)
    assert http.paths == {"/v1/traces": 1, "/v1/metrics": 1}


def test_none_exports_nothing_and_traces_all_the_same(milvus: FakeMilvus, receiver: Receiver) -> None:
    milvus.metadata.clear()
    assert not _run(milvus, receiver=receiver, OTEL_TRACES_EXPORTER="none")
    assert not receiver.spans()
    assert milvus.metadata_of("Search")[0]["traceparent"].endswith("-01")


def test_the_console_gets_what_it_is_asked_for(milvus: FakeMilvus, receiver: Receiver) -> None:
    output = _run(milvus, receiver=receiver, OTEL_TRACES_EXPORTER="console, otlp")
    assert '"name": "search c"' in output
    assert operations(receiver) == ["connect", "search c"]


@pytest.mark.parametrize(
    ("variables", "classes"),
    [
        ({}, [OverGrpc]),
        ({"OTEL_TRACES_EXPORTER": " "}, [OverGrpc]),
        ({"OTEL_TRACES_EXPORTER": "OTLP"}, [OverGrpc]),
        ({"OTEL_TRACES_EXPORTER": "none"}, []),
        ({"OTEL_TRACES_EXPORTER": "console,console"}, [ConsoleSpanExporter]),
        ({"OTEL_TRACES_EXPORTER": "console,otlp"}, [ConsoleSpanExporter, OverGrpc]),
        ({"OTEL_TRACES_EXPORTER": "otlp_proto_http"}, [OverHttp]),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, [OverGrpc]),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, [OverHttp]),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf"}, [OverHttp]),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "http/protobuf"}, [OverGrpc]),
    ],
)
def test_exporters_are_those_that_the_variables_name(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    variables: dict[str, str],
    classes: list[type],
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert [type(exporter) for exporter in _made()] == classes
    assert not caplog.records


@pytest.mark.parametrize(
    ("variable", "classes", "said"),
    [
        ("OTEL_TRACES_EXPORTER=oltp", [OverGrpc], "OTEL_TRACES_EXPORTER: 'oltp' is no exporter; expected otlp, "),
        ("OTEL_TRACES_EXPORTER=oltp,console", [ConsoleSpanExporter], "'oltp' is no exporter"),
        ("OTEL_TRACES_EXPORTER=none,otlp", [], "OTEL_TRACES_EXPORTER=none,otlp: none stands alone"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL=gprc", [OverGrpc], "='gprc': expected grpc or http/protobuf; grpc is taken"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL=http/json", [OverHttp], "='http/json': expected grpc or http/protobuf; http/"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http", [OverHttp], "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL='http': expec"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT=10s", [OverGrpc], "OTEL_EXPORTER_OTLP_TIMEOUT='10s': expected a number"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT=-", [OverGrpc], "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT='-': expected a num"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION=zip", [OverGrpc], "OTEL_EXPORTER_OTLP_COMPRESSION='zip': expected gzip or"),
    ],
)
def test_a_misspelt_value_is_told_of_and_the_default_is_taken(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, variable: str, classes: list[type], said: str
) -> None:
    monkeypatch.setenv(*variable.split("=", 1))
    assert [type(exporter) for exporter in _made()] == classes
    (message,) = caplog.messages
    assert said in message


@pytest.mark.parametrize(("value", "expected"), [("none", Compression.NoCompression), ("gzip", Compression.Gzip)])
def test_compression_is_what_the_variable_says(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, value: str, expected: Compression
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", value)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    (exporter,) = _made()
    assert exporter._compression == expected
    assert not caplog.records


def test_variables_for_traces_win_over_those_for_all_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://all:4317")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://user:secret@traces:4317")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "3")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "7")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "x-tenant=shop")
    (traces,) = chosen(TRACES, [], Target())
    (metrics,) = chosen(METRICS, [], Target())
    assert (traces.receiver, metrics.receiver) == ("http://traces:4317", "http://all:4317")
    made = traces.make()
    assert (made._endpoint, made._timeout) == ("user:secret@traces:4317", 3)
    assert ("x-tenant", "shop") in made._headers


def test_grpc_gets_the_names_of_headers_in_small_letters() -> None:
    (exporter,) = _made(target=Target(headers={"Authorization": "Bearer token"}))
    assert ("authorization", "Bearer token") in exporter._headers


def test_a_protocol_whose_exporter_is_not_installed_is_one_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def import_module(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    monkeypatch.setattr(importlib, "import_module", import_module)
    assert not chosen(TRACES, [], Target())
    (message,) = caplog.messages
    assert "no traces are exported: OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf needs a package" in message
    assert "pip install opentelemetry-exporter-otlp-proto-http, or" in message


def test_without_the_exporter_that_is_asked_for_the_program_goes_on(milvus: FakeMilvus, receiver: Receiver) -> None:
    code = "import sys; sys.modules['opentelemetry.exporter.otlp.proto.http.trace_exporter'] = None\n"
    variables = environment(milvus, receiver, OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf")
    process = start(code + _SETUP.replace("{arguments}", "") + SEARCH, variables)
    out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, out, len(err.splitlines())) == (0, "2\n", 1)
    assert "pip install opentelemetry-exporter-otlp-proto-http, or" in err
    assert not receiver.spans()


def test_a_size_of_batches_that_does_not_fit_the_queue_stops_nobody(milvus: FakeMilvus, receiver: Receiver) -> None:
    variables = {"OTEL_BSP_MAX_QUEUE_SIZE": "10", "OTEL_BSP_SCHEDULE_DELAY": "5s"}
    output = _run(milvus, receiver=receiver, **variables)
    assert "OTEL_BSP_SCHEDULE_DELAY='5s': expected a number; the default is taken" in output
    assert "OTEL_BSP_MAX_QUEUE_SIZE, OTEL_BSP_SCHEDULE_DELAY: the defaults are taken: max_export_batch_size" in output
    assert operations(receiver) == ["connect", "search c"]
