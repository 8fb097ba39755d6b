"""`milvus-otel doctor`: what it finds in the traffic, and what its neighbours say."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from click.testing import CliRunner, Result
from milvus_otel_processor import config
from milvus_otel_processor.cli import main
from milvus_otel_processor.doctor import neighbours
from milvus_otel_processor.doctor.finding import Finding
from milvus_otel_processor.doctor.inside import findings
from milvus_otel_processor.doctor.neighbours import Place
from milvus_otel_processor.telemetry.counters import Telemetry
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tests.peers.otlp_sink import otlp_sink
from tests.peers.process import free_port
from tests.support.harness import ERRORS
from tests.support.http import served
from tests.support.page import SLOW, Shown, rules, shown
from tests.support.spans import encoded, span

NOWHERE = "http://127.0.0.1:9"
CALL = {"db.system.name": "milvus", "db.collection.name": "shop"}
ALL: dict[str, object] = {"name": "all", "type": "always_sample"}


def found(page: Shown, state: str) -> list[str]:
    return [one["words"] for one in page.get("/doctor").json()["findings"] if one["state"] == state]


def test_a_processor_that_nothing_comes_to_is_the_first_finding_once_something_should_have_come() -> None:
    nothing = Telemetry().snapshot()
    first = next(findings(nothing, [], None, 20.0))
    assert first[:2] == ("bad", "The processor runs, and no span has come to it since it started.")
    assert "Collector" in first.advice
    connected = Telemetry()
    connected.request_duration.observe(0.001)
    assert next(findings(connected.snapshot(), [], None, 20.0))[:2] == (
        "unknown",
        "No span has come to the processor yet; lines of logs have, so the Collector does export here.",
    )
    connected.refused_requests["unauthenticated"] += 1
    assert next(findings(connected.snapshot(), [], None, 20.0)).state == "bad"
    with shown() as page:
        started = page.get("/doctor").json()["findings"][0]
    assert started["state"] == "unknown"
    assert started["words"] == "No span has come to the processor yet, which has just started."


@pytest.mark.parametrize(("flags", "expected"), [(3, "flags 03"), (1, "have no span of Milvus.")])
def test_a_client_whose_calls_milvus_did_not_join_is_found(flags: int, expected: str) -> None:
    call = span(1, 1, kind=Span.SPAN_KIND_CLIENT, attributes=CALL)
    call.flags = flags
    with shown(rules(ALL)) as page:
        page.send(encoded(call))
        assert any(expected in words for words in found(page, "bad" if flags == 3 else "warn"))


def test_calls_that_are_joined_are_fine() -> None:
    call = span(1, 1, kind=Span.SPAN_KIND_CLIENT, attributes=CALL)
    call.flags = 3
    with shown(rules(ALL)) as page:
        page.send(encoded(call, span(1, 2, 1, name="milvus.proto.milvus.MilvusService/Search")))
        assert any("Client and Milvus are joined" in words for words in found(page, "good"))


def test_clocks_that_differ_are_found_with_the_services() -> None:
    request = ExportTraceServiceRequest()
    for service, one in (
        ("shop", span(1, 1, start_ms=1000, end_ms=1100)),
        ("standalone", span(1, 2, 1, start_ms=100, end_ms=110)),
    ):
        resource = request.resource_spans.add()
        resource.resource.attributes.add(key="service.name").value.string_value = service
        resource.scope_spans.add().spans.append(one)
    with shown(rules(ALL)) as page:
        page.send(request.SerializeToString())
        assert any("the clocks of shop and standalone differ" in words for words in found(page, "warn"))


def test_heartbeats_that_are_kept_and_rules_that_decided_nothing_are_found() -> None:
    with shown(rules(ALL, ERRORS, SLOW)) as page:
        page.send(
            *(
                encoded(span(number, 1, name="milvus.proto.rootcoord.RootCoord/AllocTimestamp"))
                for number in range(1, 25)
            )
        )
        warned, unknown = found(page, "warn"), found(page, "unknown")
    assert any("24 traces of Milvus' own work were kept" in words for words in warned)
    assert "Of 24 traces these policies decided none yet: errors, slow." in unknown


def test_rules_of_which_none_decided_anything_are_to_be_looked_at_and_not_wrong() -> None:
    with shown(rules(ERRORS, SLOW)) as page:
        page.send(*(encoded(span(number, 1)) for number in range(1, 25)))
        assert found(page, "warn") == ["Of 24 traces these policies decided none yet: errors, slow."]
        assert found(page, "bad") == []


def test_rules_that_are_broken_are_told_with_the_place_where_they_are() -> None:
    places = [config.Place("sampling.yaml", line) for line in (8, 9)]
    problems = [config.Problem(place, "policies[0].type", "is not known") for place in places]
    with shown(rules(ALL)) as page:
        page.running.service.reloaded(problems)
        words = next(one for one in found(page, "bad") if "rules is broken" in one)
        assert words.endswith("stay in force: sampling.yaml:8: policies[0].type: is not known (and 1 more, in its log)")
        assert any("sampling.yaml:8: policies[0].type: is not known" in one for one in page.get("/now").json()["wrong"])
        page.running.service.reloaded()
        assert not any("broken" in one for one in found(page, "bad"))


def test_what_is_lost_and_refused_is_found() -> None:
    with shown(rules(ALL)) as page:
        telemetry = page.running.service.telemetry
        telemetry.lost_spans["rejected"] = 3
        telemetry.refused_requests["too_large"] = 2
        telemetry.received_spans = 1
        assert "Kept spans were lost: 3 rejected." in found(page, "bad")
        assert "2 requests were refused: too_large." in found(page, "warn")
        telemetry.lost_spans.clear()


@contextmanager
def answering(path: str, answer: Any, status: int = 200, methods: tuple[str, ...] = ("GET",)) -> Iterator[str]:
    async def said(_: Request) -> Response:
        return PlainTextResponse(answer, status) if isinstance(answer, str) else JSONResponse(answer, status)

    routes = [Route(path, said, methods=list(methods))]
    if path != "/healthz":
        routes.append(Route("/healthz", lambda _: PlainTextResponse("OK")))
    with served(routes) as url:
        yield url


def states(found: Iterator[Finding]) -> list[tuple[str, str]]:
    return [(one.state, one.words) for one in found]


@pytest.mark.parametrize(
    ("settings", "state", "words"),
    [
        (
            {"trace.exporter": "otlp", "trace.otlp.endpoint": "collector:4317", "trace.sampleFraction": "1"},
            "good",
            "to collector:4317",
        ),
        ({"trace": {"exporter": "noop"}}, "bad", "trace.exporter is noop"),
        ({"trace.exporter": "otlp", "trace.otlp.endpoint": "http://collector:4317"}, "bad", "'http://collector:4317'"),
        (
            {"trace.exporter": "otlp", "trace.otlp.endpoint": "c:1", "proxy.accessLog.enable": False},
            "warn",
            "no access log",
        ),
        ({"common": {}}, "unknown", "does not tell"),
        (
            {
                "trace.exporter": "otlp[FileSource]",
                "traceexporter": "otlp[FileSource]",
                "trace.otlp.endpoint": "collector:4317[EnvironmentSource]",
                "traceotlpendpoint": "collector:4317[EnvironmentSource]",
                "trace.samplefraction": "1[RuntimeSource]",
            },
            "good",
            "to collector:4317, sampleFraction 1.",
        ),
        ({"trace_exporter": "noop[EnvironmentSource]"}, "bad", "trace.exporter is noop."),
        ({"message": "authentication is needed"}, "unknown", "does not tell"),
    ],
    ids=["fine", "off", "URL", "no log", "silent", "sources", "source off", "refused"],
)
def test_milvus_settings_are_read_where_it_tells(settings: dict[str, Any], state: str, words: str) -> None:
    with answering("/api/v1/_cluster/configs", settings) as url:
        assert any(
            found[0] == state and words in found[1] for found in states(neighbours.milvus_management(Place(url, True)))
        )


def test_a_grpc_port_that_is_sent_http_is_told_from_a_collector_and_from_nothing() -> None:
    with otlp_sink() as sink:
        [grpc] = neighbours.collector(Place(f"http://{sink.endpoint}", True))
    with answering("/v1/traces", {}, methods=("POST",)) as url:
        [fine] = neighbours.collector(Place(url, True))
    with answering("/other", {}) as url:
        [wrong] = neighbours.collector(Place(url, True))
    with answering("/v1/traces", "full", 503, methods=("POST",)) as url:
        [full] = neighbours.collector(Place(url, True))
    [away] = neighbours.collector(Place(NOWHERE, False))
    assert (grpc.state, "does not speak HTTP" in grpc.words) == ("bad", True)
    assert (fine.state, wrong.state, full.state, away.state) == ("good", "bad", "bad", "unknown")
    assert "--collector" in away.advice


@pytest.mark.parametrize(
    ("status", "said", "wanted"),
    [
        (400, "Client sent an HTTP request to an HTTPS server.\n", "TLS"),
        (401, "no scheme or token provided", "a token"),
    ],
    ids=["TLS", "token"],
)
def test_a_collector_that_lets_not_everyone_in_is_not_wrong(status: int, said: str, wanted: str) -> None:
    with answering("/v1/traces", said, status, methods=("POST",)) as url:
        [only] = neighbours.collector(Place(url, False))
    assert only.state == "unknown"
    assert f"asks for {wanted}, so whether it takes traces was not tried." in only.words


def test_the_collector_s_own_metrics_tell_what_it_could_not_pass_on() -> None:
    text = (
        'otelcol_receiver_accepted_spans_total{receiver="otlp",transport="grpc"} 100\n'
        'otelcol_exporter_send_failed_spans_total{exporter="otlp"} 7\notelcol_exporter_sent_spans_total{exporter="otlp"} 93\n'
    )
    with answering("/metrics", text) as url:
        said = states(neighbours.collector_metrics(f"{url}/metrics"))
    assert said == [
        ("good", "The Collector has received 100 spans, and sent 93 on."),
        ("bad", "7 spans could not be passed on by the Collector."),
    ]


def test_jaeger_tells_its_services() -> None:
    with answering("/api/services", {"data": ["shop", "standalone"]}) as url:
        assert states(neighbours.jaeger(Place(url, True))) == [("good", "Jaeger has traces of shop, standalone.")]
    with answering("/api/services", {"data": None}) as url:
        for exported, state in ((None, "unknown"), (0, "unknown"), (7, "warn")):
            [only] = states(neighbours.jaeger(Place(url, True), exported))
            assert only[0] == state
        assert only[1] == "Jaeger has no traces at all, and the processor has exported 7 spans."
    with answering("/", "hello") as url:
        assert states(neighbours.jaeger(Place(url, True)))[0][0] == "bad"


@pytest.mark.parametrize(
    ("environ", "state"),
    [
        ({}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, "bad"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:4318", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "bad"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:4317"}, "warn"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:4318"}, None),
    ],
    ids=["none", "http to grpc", "grpc to http", "no protocol", "grpc", "http"],
)
def test_the_variables_of_sdks_are_looked_at(environ: dict[str, str], state: str | None) -> None:
    assert [one.state for one in neighbours.application(environ)] == ([state] if state else [])


def doctor(*arguments: object) -> Result:
    nowhere = (
        "--milvus",
        f"127.0.0.1:{free_port()}",
        "--milvus-management",
        NOWHERE,
        "--jaeger",
        NOWHERE,
        "--collector",
        NOWHERE,
    )
    given = [str(one) for one in (*nowhere, *arguments)]
    return CliRunner(env={"OTEL_EXPORTER_OTLP_ENDPOINT": None}).invoke(main, ["doctor", *given], catch_exceptions=False)


def test_parts_that_are_not_there_are_said_with_what_to_do_and_end_with_an_error() -> None:
    said = doctor("--from", NOWHERE)
    assert said.exit_code == 1
    for words in ("No Milvus answers", "No Collector answers", "The processor was not asked", "No Jaeger answers"):
        assert words in said.output
    assert "Is it up, and is this its address?" in said.output


def test_a_probe_is_followed_to_the_decision() -> None:
    with shown(rules(ERRORS)) as page:
        endpoint = page.running.service.endpoint
        said = doctor("--from", page.url, "--probe", "--otlp", endpoint, "--timeout", 20)
    assert f"Probe: the client's span was taken at {endpoint}." in said.output
    assert "Probe: the processor decided about 1 span(s): sampled by errors." in said.output


def test_a_probe_that_nobody_takes_is_said() -> None:
    with shown() as page:
        said = doctor("--from", page.url, "--probe", "--otlp", NOWHERE, "--timeout", 1)
    assert "Probe: the client's span was not taken at http://127.0.0.1:9: Connection refused." in said.output
    assert said.exit_code == 1


def test_a_probe_that_goes_to_the_port_of_the_other_protocol_is_told_so() -> None:
    with shown() as page:
        grpc, http = page.running.service.endpoint, page.url.partition("//")[2]
        over_http = doctor("--from", page.url, "--probe", "--otlp", f"http://{grpc}", "--timeout", 1)
        over_grpc = doctor("--from", page.url, "--probe", "--otlp", http, "--timeout", 1)
    assert (
        f"was not taken at http://{grpc}: it does not speak HTTP; it is a gRPC port, most likely." in over_http.output
    )
    assert f"was not taken at {http}: it speaks HTTP, not gRPC." in over_grpc.output
    for said in (over_http, over_grpc):
        assert "HTTP goes to port 4318 (--otlp http://HOST:4318), gRPC to 4317 (--otlp HOST:4317)." in said.output


def test_a_probe_without_a_page_is_looked_for_in_jaeger() -> None:
    with otlp_sink() as sink, answering("/api/traces/{id}", {"data": [{}]}) as jaeger:
        said = doctor("--probe", "--otlp", sink.endpoint, "--jaeger", jaeger, "--timeout", 5, "--from", NOWHERE)
    assert "Probe: what the processor decides is not known: no page of it was found." in said.output
    assert "Probe: Jaeger has the trace." in said.output


def test_a_probe_waits_for_the_decision_as_long_as_traces_do() -> None:
    with shown(rules(ERRORS, decision_wait=6.0)) as page:
        assert page.get("/rules").json()["decision_wait"] == 6.0
        said = doctor("--from", page.url, "--probe", "--otlp", page.running.service.endpoint, "--timeout", 5)
    assert "sampled by errors." in said.output


def test_a_silence_is_found_once_it_is_long() -> None:
    counted = Telemetry()
    counted.received_spans = 1234
    for silence, state in ((19.0, "good"), (42.0, "warn")):
        first = next(findings(counted.snapshot(), [], None, silence))
        assert first.state == state
    assert first.words == "For 42 s no span has come to the processor; 1,234 came before, since the start."


def test_a_silence_is_wrong_where_milvus_sent_its_own_work_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("milvus_otel_processor.doctor.inside._LONG_SILENCE", 0.0)
    with shown(rules(ALL)) as page:
        page.send(encoded(span(1, 1, name="order")))
        assert found(page, "bad") == []
        page.send(encoded(span(2, 1, name="milvus.proto.rootcoord.RootCoord/AllocTimestamp")))
        [silence] = [one for one in page.get("/doctor").json()["findings"] if one["state"] == "bad"]
    assert "no span has come to the processor; 2 came before, since the start." in silence["words"]
    assert "come every second" in silence["advice"]
