"""When `milvus-otel doctor` alarms, and ends with an error: where something is wrong that should work, and not for a guess."""

import os
import ssl
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Barrier, Event, Thread

import pytest
from click.testing import CliRunner, Result
from milvus_otel_processor.cli import main
from milvus_otel_processor.doctor.finding import Finding
from milvus_otel_processor.doctor.inside import findings
from milvus_otel_processor.doctor.neighbours import Place, collector
from milvus_otel_processor.doctor.peers import Peer, _host_and_port, unreachable
from milvus_otel_processor.enrichment.settings import MilvusSettings
from milvus_otel_processor.telemetry.counters import Telemetry
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tests.peers.process import free_port
from tests.peers.waiting import wait_until
from tests.stack.certificates import make_certificates
from tests.support.harness import ERRORS, drop_roots
from tests.support.http import served
from tests.support.page import Shown, rules, shown
from tests.support.spans import encoded, span

NOWHERE = "http://127.0.0.1:9"
ALL: dict[str, object] = {"name": "all", "type": "always_sample"}


@pytest.fixture(autouse=True)
def _no_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind one, a connection is not tried."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.mark.parametrize(
    "address", ["127.0.0.1:{}", "http://127.0.0.1:{}/", "dns:///127.0.0.1:{}"], ids=["plain", "URL", "DNS"]
)
def test_what_the_processor_exports_to_is_asked_for_a_connection(address: str) -> None:
    counted = Telemetry()
    counted.received_spans = counted.exported_spans = 5
    with served([Route("/", lambda _: PlainTextResponse("hello"))]) as url:
        answers = Peer("exporters.otlp.endpoint", address.format(url.rpartition(":")[2]), "which", takes_spans=True)
        said = [one.words for one in findings(counted.snapshot(), [], None, 0.0, [answers])]
    assert "Kept spans are taken by the exporter's peer: 5." in said
    away = answers._replace(address=address.format(free_port()), purpose="which it exports spans to")
    found = list(findings(counted.snapshot(), [], None, 0.0, [away]))
    [bad] = [one for one in found if one.words.startswith("The processor cannot")]
    assert bad.state == "bad"
    assert bad.words == f"The processor cannot reach {away.address}, which it exports spans to: Connection refused."
    assert "exporters.otlp.endpoint" in bad.advice
    assert not any("are taken" in one.words for one in found)


def test_a_name_that_nobody_knows_and_a_milvus_without_a_port_are_told() -> None:
    assert unreachable(["no-such-host.invalid:4317"]) != [None]
    assert _host_and_port("https://milvus.example.com/") == ("milvus.example.com", 19530)
    assert _host_and_port("http://[::1]") == ("::1", 19530)
    assert _host_and_port("[::1]:4317") == ("::1", 4317)


def test_behind_a_proxy_a_connection_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert unreachable([address]) == ["Connection refused"]
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    assert unreachable([address]) == ["Connection refused"]
    monkeypatch.setenv("no_proxy", "")
    assert unreachable([address]) == [None]


def test_all_parts_are_asked_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    together = Barrier(3)

    def silent(place: tuple[str, int], timeout: float) -> None:
        together.wait(timeout=60)
        raise TimeoutError(f"{place[0]} timed out")

    monkeypatch.setattr("socket.create_connection", silent)
    said = unreachable(["a:1", "b:2", "c:3"], seconds=60)
    assert said == ["a timed out", "b timed out", "c timed out"]


def wrong(page: Shown) -> list[str]:
    return [one["words"] for one in page.get("/doctor").json()["findings"] if one["state"] == "bad"]


def test_while_the_doctor_waits_for_others_everything_else_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, over = Event(), Event()
    in_time = []

    def away(_: object) -> dict[Peer, Finding]:
        asked.set()
        in_time.append(over.wait(60))
        return {}

    monkeypatch.setattr("milvus_otel_processor.doctor.inside.away", away)
    with shown(rules(ALL)) as page:
        doctor = Thread(target=page.get, args=["/doctor"])
        doctor.start()
        assert asked.wait(60)
        assert page.get("/rules").status == 200
        over.set()
        doctor.join()
    assert in_time == [True]


def test_a_milvus_that_the_configuration_names_and_that_is_away_is_wrong(tmp_path: Path) -> None:
    with shown(rules(ALL), milvus=MilvusSettings(uri=NOWHERE)) as page:
        assert wrong(page) == []  # where the built-in configuration looks for a Milvus is a guess
    with shown(rules(ALL), milvus=MilvusSettings(uri=NOWHERE), source=tmp_path / "processor.yaml") as page:
        assert wrong(page) == [
            "The processor cannot reach http://127.0.0.1:9, the Milvus that it asks for collections: Connection refused."
        ]


@pytest.fixture
def nothing_at_the_usual_places(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_COLLECTOR", "_MANAGEMENT", "_JAEGER"):
        monkeypatch.setattr(f"milvus_otel_processor.cli.doctor.{name}", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setattr("milvus_otel_processor.cli.doctor._MILVUS", f"127.0.0.1:{free_port()}")
    monkeypatch.setattr("milvus_otel_processor.cli.options.USUAL_PAGES", (f"http://127.0.0.1:{free_port()}",))
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)


def plain(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["doctor", *arguments], catch_exceptions=False)


@pytest.mark.usefixtures("nothing_at_the_usual_places")
def test_parts_that_were_only_looked_for_are_hints_and_a_healthy_processor_alarms_nobody() -> None:
    with shown(rules(drop_roots("Ping"), ALL, ERRORS)) as page:
        page.send(*(encoded(span(number, 1, name="Ping")) for number in range(1, 25)), encoded(span(30, 1)))
        wait_until(lambda: page.running.service.telemetry.snapshot().exported_spans, "the export")
        said = plain("--from", page.url)
    assert said.exit_code == 0, said.output
    assert "not known  No Milvus answers" in said.output
    assert "not known  Of 25 traces these policies decided none yet: errors." in said.output
    assert "wrong" not in said.output
    assert "look at" not in said.output


@pytest.mark.usefixtures("nothing_at_the_usual_places")
def test_without_a_processor_there_is_nothing_to_be_told_and_the_status_says_so() -> None:
    said = plain()
    assert said.exit_code == 1
    assert "wrong  No processor answers at" in said.output
    assert "not known  No Collector answers" in said.output


@pytest.mark.usefixtures("nothing_at_the_usual_places")
def test_top_says_at_which_places_no_processor_answers() -> None:
    said = CliRunner().invoke(main, ["top", "--once"])
    assert said.exit_code == 1
    assert said.output == (
        "No processor answers at http://127.0.0.1:8888 or http://127.0.0.1:18888. Start it, or say where its page is "
        "(service.telemetry.page): --from URL.\n"
    )


class Unauthorized(BaseHTTPRequestHandler):
    """A Collector's door that wants a token."""

    def do_POST(self) -> None:
        # Else the peer may find the connection closed while it still writes.
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(401)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Where it answers over TLS, and the authority of its certificate."""
    folder = make_certificates(tmp_path / "certificates")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "collector.crt", folder / "collector.key")
    with ThreadingHTTPServer(("127.0.0.1", 0), Unauthorized) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"https://127.0.0.1:{server.server_port}", folder / "ca.crt"
        server.shutdown()
        thread.join()


def test_a_collector_whose_authority_nobody_knows_is_told_with_what_to_do(
    guarded: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, authority = guarded
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    [unknown] = collector(Place(url, True))
    assert unknown.state == "bad"
    assert "its certificate is not trusted (unable to get local issuer certificate)" in unknown.words
    assert "SSL_CERT_FILE" in unknown.words
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    [known] = collector(Place(url, True))
    assert (known.state, "asks for a token" in known.words) == ("unknown", True), known
