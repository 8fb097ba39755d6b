"""The running program as an operator sees it: TLS, secrets in all places that take one, broken rules at a start."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import suppress
from typing import TYPE_CHECKING

import grpc
import pytest
from milvus_otel_processor.page.answers import ENDPOINTS, PREFIX
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tests.peers.otlp_sink import METHOD
from tests.peers.process import free_port
from tests.peers.waiting import wait_until
from tests.stack.certificates import make_certificates
from tests.support.peer import fail, peer
from tests.support.spans import encoded, span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SECRETS = {
    "text": "s3cret-word",
    "digits": "4711471147",
    "number": "0.12345678901",
    "date": "2031-07-19",
    "token": "tok-5eb63bbb",
    "header": "head-e01eeed0",
    "key": "hmac-93cb22bb",
    "metrics header": "push-1b6453892473",
    "page": "page-77add1d5f41223",
    "rule": "rule-8e296a067a3756",
}

CONFIG = """\
extensions:
  bearertokenauth: {{token: "{token}"}}
  bearertokenauth/page: {{filename: "{folder}/page.token"}}
receivers:
  otlp:
    protocols:
      grpc:
        endpoint: 127.0.0.1:{port}
        tls: {{cert_file: "{folder}/processor.crt", key_file: "{folder}/processor.key", client_ca_file: "{folder}/ca.crt"}}
        auth: {{authenticator: bearertokenauth}}
processors:
  milvus: {{uri: "http://127.0.0.1:1", user: root, password: {digits}}}
  tail_sampling:
    decision_wait: 100ms
    policies: [{{name: all, type: always_sample}}]
  redaction: {{allow_all_keys: true, blocked_values: [x], hash_function: hmac-sha256, hmac_key: {key}}}
exporters:
  otlp:
    endpoint: "{peer}"
    tls: {{insecure: true}}
    headers: {{x-key: {header}, x-number: "${{env:NUMBER}}", x-date: "${{env:DATE}}", x-text: "${{env:TEXT}}"}}
    auth: {{authenticator: bearertokenauth}}
    retry_on_failure: {{initial_interval: 100ms}}
service:
  extensions: [bearertokenauth, bearertokenauth/page]
  telemetry:
    logs: {{level: debug, encoding: json}}
    page: {{endpoint: "127.0.0.1:{page_port}", auth: {{authenticator: bearertokenauth/page}}}}
    metrics:
      readers:
        - pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {metrics}}}}}}}
        - periodic:
            interval: 200
            exporter:
              otlp:
                protocol: http/protobuf
                endpoint: http://127.0.0.1:1/v1/metrics
                headers: [{{name: x-key, value: "{pushed}"}}]
  pipelines: {{traces: {{receivers: [otlp], processors: [milvus, tail_sampling, redaction], exporters: [otlp]}}}}
"""
ENVIRON = {"NUMBER": SECRETS["number"], "DATE": SECRETS["date"], "TEXT": SECRETS["text"], "RULE": SECRETS["rule"]}
TRIED = """\
policies:
  - {name: ${env:RULE}, type: always_sample}
  - {name: late, type: latency, latency: {threshold_ms: "${env:RULE}"}}
  - {name: file, type: string_attribute, string_attribute: {key: a, values: ["${file:PAGE}"]}}
"""


class Running:
    def __init__(self, folder: Path, peer_endpoint: str, certificates: Path) -> None:
        self.folder, self.certificates = folder, certificates
        self.port, self.metrics, self.page_port = free_port(), free_port(), free_port()
        (certificates / "page.token").write_text(SECRETS["page"])
        self.config = folder / "processor.yaml"
        self.config.write_text(
            CONFIG.format(
                folder=certificates,
                port=self.port,
                metrics=self.metrics,
                page_port=self.page_port,
                peer=peer_endpoint,
                pushed=SECRETS["metrics header"],
                **SECRETS,
            )
        )
        self.log = folder / "log"

    def start(self) -> None:
        code = "from milvus_otel_processor.cli import main; main()"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", code, "run", "--config", str(self.config)],
                env={**os.environ, **ENVIRON},
                stdout=log,
                stderr=log,
            )
        wait_until(lambda: '"started"' in self.log.read_text(), "the start", 180)

    def page(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics}/metrics", timeout=60) as answer:
            text: str = answer.read().decode()
            return text

    def asked(self, method: str, path: str, body: str = "", token: str = SECRETS["page"]) -> tuple[int, str]:
        """The answer of the live page's server."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.page_port}{path}",
            body.encode() if method == "POST" else None,
            {"authorization": f"Bearer {token}", "content-type": "application/yaml"},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, f"{answer.headers}{answer.read().decode()}"
        except urllib.error.HTTPError as error:
            with error:  # it holds the answer's body
                return error.code, f"{error.headers}{error.read().decode()}"

    def export(self, token: str) -> grpc.StatusCode:
        pem = [(self.certificates / name).read_bytes() for name in ("ca.crt", "collector.key", "collector.crt")]
        options = [("grpc.ssl_target_name_override", "localhost")]
        with grpc.secure_channel(f"127.0.0.1:{self.port}", grpc.ssl_channel_credentials(*pem), options) as channel:
            call = channel.unary_unary(METHOD, response_deserializer=ExportTraceServiceResponse.FromString)
            try:
                call(encoded(span()), timeout=120, metadata=[("authorization", f"Bearer {token}")])
            except grpc.RpcError as error:
                code: grpc.StatusCode = error.code()
                return code
        return grpc.StatusCode.OK

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(180)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("secrets")
    certificates = make_certificates(folder / "certificates")
    with peer(fail(grpc.StatusCode.UNAUTHENTICATED)) as server:
        made = Running(folder, server.endpoint, certificates)
        made.start()
        try:
            yield made
        finally:
            made.stop()
            assert server.requests
            # They are where they belong, and so what the tests look for is what was sent.
            assert server.metadata[0]["authorization"] == f"Bearer {SECRETS['token']}"
            assert server.metadata[0]["x-number"] == SECRETS["number"]


def plain_text(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        connection.settimeout(10)
        with suppress(OSError):
            connection.recv(1)


def without_certificate(port: int, authority: Path) -> None:
    context = ssl.create_default_context(cafile=str(authority))
    context.set_alpn_protocols(["h2"])
    with (
        suppress(OSError),
        socket.create_connection(("127.0.0.1", port), 10) as connection,
        context.wrap_socket(connection, server_hostname="localhost") as wrapped,
    ):
        wrapped.settimeout(10)
        wrapped.recv(1)


def failed(page: str, reason: str) -> float:
    """How many handshakes failed for this reason, by the page of metrics."""
    found = re.search(rf'^milvus_otel_failed_handshakes_total{{reason="{reason}"}} (\S+)$', page, re.MULTILINE)
    return float(found[1]) if found is not None else 0.0


def test_failed_handshakes_are_counted_by_reason_and_the_log_stays_json(running: Running) -> None:
    def counted() -> bool:
        # Once more for each look: gRPC does not promise a line for each.
        plain_text(running.port)
        without_certificate(running.port, running.certificates / "ca.crt")
        page = running.page()
        return failed(page, "HTTP_REQUEST") >= 3 and failed(page, "PEER_DID_NOT_RETURN_A_CERTIFICATE") >= 1

    wait_until(counted, "the failed handshakes in the metrics", 120)
    lines = [json.loads(line) for line in running.log.read_text().splitlines()]
    told = [line["msg"] for line in lines if "handshake" in line["msg"]]
    assert told[0] == "a TLS handshake failed: reason=HTTP_REQUEST; docs/operations.md says what each means"
    assert len(told) < 3  # paced


def test_no_secret_shows_in_the_log_the_metrics_or_an_error_and_who_shows_the_token_gets_in(running: Running) -> None:
    assert running.export("wrong") is grpc.StatusCode.UNAUTHENTICATED
    assert running.export(SECRETS["token"]) is grpc.StatusCode.OK
    wait_until(lambda: "exporting failed" in running.log.read_text(), "the peer's refusal", 120)
    running.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "nothing has changed" in running.log.read_text(), "the reload", 120)
    running.config.write_text(running.config.read_text().replace("decision_wait: 100ms", "decision_wait: soon"))
    wait_until(lambda: "not reloaded" in running.log.read_text(), "the refusal of the broken file", 120)
    shown = running.log.read_text() + running.page()
    for command in (["validate"], ["replay", str(running.config)], ["run"]):
        code = "from milvus_otel_processor.cli import main; main()"
        arguments = [sys.executable, "-c", code, *command, "--config", str(running.config)]
        ended = subprocess.run(
            arguments, env={**os.environ, **ENVIRON}, capture_output=True, text=True, timeout=180, check=False
        )
        assert ended.returncode != 0
        shown += ended.stdout + ended.stderr
    for name, secret in SECRETS.items():
        assert secret not in shown, name


def test_no_secret_shows_on_the_page_or_in_its_api_not_even_to_who_tries_rules_that_ask_for_one(
    running: Running,
) -> None:
    running.export(SECRETS["token"])
    trace = span().trace_id.hex()
    wait_until(lambda: running.asked("GET", f"/api/v1/traces/{trace}")[0] == 200, "the decision", 120)
    tried = TRIED.replace("PAGE", str(running.certificates / "page.token"))
    paths = [f"{PREFIX}{one.path}".replace("{trace_id}", trace) for one in ENDPOINTS if one.method == "GET"]
    answers = {path: running.asked("GET", path) for path in ("/", "/page/page.js", *paths, f"{PREFIX}/nowhere")}
    answers |= {
        f"{name} {one.path}": running.asked("POST", f"{PREFIX}{one.path}", body)
        for one in ENDPOINTS
        for name, body in (("tried", tried), ("nonsense", "policies: [${env:TEXT}, ${env:RULE"))
        if one.method == "POST"
    }
    answers["without a token"] = running.asked("GET", paths[0], token=SECRETS["token"])
    assert answers["without a token"][0] == 401
    assert {answers[path][0] for path in ("/", *paths)} == {200}
    assert "env" in answers["tried /validate"][1]
    wait_until(lambda: "metrics" in running.log.read_text(), "the metrics that nobody takes", 120)
    shown = {**answers, "log": (0, running.log.read_text()), "metrics": (0, running.page())}
    for where, (_, content) in shown.items():
        for name, secret in SECRETS.items():
            assert secret not in content, (name, where)


def test_with_broken_rules_it_starts_with_their_last_good_copy_and_says_so_until_they_are_mended(
    tmp_path: Path,
) -> None:
    config, copy, log = tmp_path / "processor.yaml", tmp_path / "last-good.yaml", tmp_path / "log"
    port = free_port()
    good = (
        f"receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:{port}'}}}}}}}}\n"
        "processors: {tail_sampling: {policies: [{name: all, type: always_sample}]}}\n"
        "exporters: {otlp: {endpoint: '127.0.0.1:1', tls: {insecure: true}}}\n"
        f"service: {{last_good_rules: '{copy}', pipelines: {{traces: {{receivers: [otlp], "
        "processors: [tail_sampling], exporters: [otlp]}}}\n"
    )
    program = [sys.executable, "-c", "from milvus_otel_processor.cli import main; main()"]

    def health() -> subprocess.CompletedProcess[str]:
        command = [*program, "health", "--endpoint", f"127.0.0.1:{port}", "--timeout", "20"]
        return subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)

    def run_until(words: str, then: Callable[[], object] = lambda: None) -> None:
        with log.open("wb") as file:
            process = subprocess.Popen([*program, "run", "--config", str(config)], stderr=file)
        try:
            wait_until(lambda: words in log.read_text(), words, 180)
            wait_until(lambda: "started" in log.read_text(), "the start", 180)
            then()
        finally:
            process.terminate()
            process.wait(180)

    config.write_text(good)
    run_until("started")
    assert copy.exists()
    config.write_text(good.replace("always_sample", "allways_sample"))

    def mended() -> None:
        asked = health()
        assert (asked.returncode, "goes on with older rules" in asked.stderr) == (0, True), asked
        config.write_text(good)
        wait_until(lambda: "older rules" not in health().stderr, "the rules to be mended", 180)

    run_until("the last good copy of the rules is in force", mended)
