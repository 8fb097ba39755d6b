"""What a user does with the stack: up, look at traces, restart parts, down. The tests go on where the last one stopped."""

import json
import secrets
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from tests.peers.jaeger import attributes_of
from tests.peers.waiting import wait_until
from tests.stack.conftest import Stack
from tests.stack.engine import Docker
from tests.stack.load import SERVICE, Load, failed_request
from tests.stack.logs import log_records, shown

SHOP = "demo-shop"
ERROR = 2  # Status.STATUS_CODE_ERROR
MEGABYTE, MEBIBYTE = 1_000_000, 1024 * 1024

Spans = list[dict[str, Any]]


@pytest.fixture(scope="module")
def shop(stack: Stack) -> dict[str, Spans]:
    """The demo's traces in Jaeger once all are decided, by trace id."""
    told = stack.compose("--profile", "demo", "run", "--rm", "demo")
    assert told.startswith("Waiting for the Milvus at http://milvus:19530")
    assert "\n  Search products.\n" in told
    assert "\nDone: 181 calls, 4 of them failed, on purpose." in told
    assert "open http://localhost:16686" in told
    # The failures come last, so with them everything before is there.
    failed = wait_until(
        lambda: _at_least(4, _failed(stack.jaeger.traces(SHOP))), "the four failures in Jaeger", 60, 0.5
    )
    assert len(failed) == 4
    return stack.jaeger.traces(SHOP)


def _failed(traces: dict[str, Spans]) -> dict[str, Spans]:
    return {trace_id: spans for trace_id, spans in traces.items() if policies(spans) == {"errors"}}


def _at_least(number: int, traces: dict[str, Spans]) -> dict[str, Spans] | None:
    return traces if len(traces) >= number else None


def policies(spans: Spans) -> set[str]:
    return {attributes_of(span)["tailsampling.policy"] for span in spans}


def span_ids(spans: Spans) -> set[str]:
    return {span["spanId"] for span in spans}


def services(spans: Spans) -> set[str]:
    return {span["service"] for span in spans}


def root(spans: Spans) -> dict[str, Any]:
    (found,) = [span for span in spans if not span.get("parentSpanId")]
    return found


def on_collections(traces: dict[str, Spans]) -> dict[str, Spans]:
    """All but the client's own `connect`, which touches no collection and may be among one in ten."""
    return {trace_id: spans for trace_id, spans in traces.items() if root(spans)["name"] != "connect"}


def test_when_up_returns_every_service_is_healthy(stack: Stack):
    states = {
        state["Service"]: (state["State"], state["Health"] or state["ExitCode"])
        for state in map(json.loads, stack.compose("ps", "--all", "--format", "json").splitlines())
    }
    assert states == {
        "volumes": ("exited", 0),
        "collector": ("running", 0),  # nothing in its image could ask; the next one does
        "collector-health": ("running", "healthy"),
        "jaeger": ("running", "healthy"),
        "milvus": ("running", "healthy"),
        "processor": ("running", "healthy"),
    }


def health_check(stack: Stack, service: str) -> list[str]:
    """What a service is asked with; waiting for the engine to ask takes three intervals."""
    configuration = json.loads(stack.compose("config", "--format", "json"))
    kind, *check = configuration["services"][service]["healthcheck"]["test"]
    assert kind == "CMD"
    return [argument.replace("$$", "$") for argument in check]


def test_milvus_is_healthy_only_where_a_client_can_connect(stack: Stack):
    check = health_check(stack, "milvus")
    stack.compose("exec", "-T", "milvus", *check)
    for port, nothing in (("19530", "1"), ("9091", "2")):
        with pytest.raises(RuntimeError, match=r"refused|connect"):
            stack.compose("exec", "-T", "milvus", *(argument.replace(port, nothing) for argument in check))


def test_the_processors_log_of_a_fresh_start_has_no_warning(stack: Stack):
    lines = stack.compose("logs", "--no-color", "--no-log-prefix", "processor").splitlines()
    assert any("started" in line for line in lines)
    assert [line for line in lines if " info " not in line] == []


def doctor(*arguments: str) -> tuple[int, str]:
    """Run `milvus-otel doctor`; return its exit status, and what it printed."""
    program = Path(sys.executable).with_name("milvus-otel")
    done = subprocess.run([program, "doctor", *arguments], capture_output=True, text=True, check=False)
    assert not done.stderr
    return done.returncode, done.stdout


@pytest.mark.usefixtures("stack")
def test_the_doctor_finds_nothing_to_look_at_in_a_fresh_stack():
    status, said = doctor()
    assert (status, "wrong" in said, "look at  " in said) == (0, False, False), said


def test_the_processors_image_has_the_native_store(stack: Stack):
    (started,) = [
        line
        for line in stack.compose("logs", "--no-color", "--no-log-prefix", "processor").splitlines()
        if "started" in line
    ]
    assert "store=native" in started


def test_the_idle_processor_costs_below_two_percent_of_a_core_and_100_mib(stack: Stack):
    usage = "cat /sys/fs/cgroup/cpuacct/cpuacct.usage 2>/dev/null || awk '/usage_usec/ {print $2 * 1000}' /sys/fs/cgroup/cpu.stat"
    memory = "cat /sys/fs/cgroup/memory/memory.usage_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.current"

    def ask(command: str) -> int:
        return int(stack.compose("exec", "-T", "processor", "sh", "-c", command))

    seconds = 41  # at least two health checks, which are part of what it costs
    before, start = ask(usage), time.monotonic()
    Event().wait(seconds)
    share = (ask(usage) - before) / 1e9 / (time.monotonic() - start)
    assert share < 0.02
    assert ask(memory) < 100 * MEBIBYTE


def test_an_enriched_trace_is_in_jaeger_within_90_seconds_of_up(stack: Stack, shop: dict[str, Spans]):
    first = min(on_collections(shop).values(), key=lambda spans: int(root(spans)["startTimeUnixNano"]))
    # What the demo's first trace waited for: its end, the decision, and the way to Jaeger.
    decision_wait, on_the_way = 10.0, 5.0
    duration = (int(root(first)["endTimeUnixNano"]) - int(root(first)["startTimeUnixNano"])) / 1e9
    assert stack.up_seconds + duration + decision_wait + on_the_way < 90
    assert any("db.collection.name" in attributes_of(span) for span in first)


def test_client_server_and_core_are_in_one_trace(shop: dict[str, Spans]):
    searches = [spans for spans in shop.values() if root(spans)["name"] in ("search products", "search articles")]
    together = [spans for spans in searches if policies(spans) != {"errors"}]
    assert together
    assert all(services(spans) == {SHOP, "standalone", "segcore"} for spans in together)


def test_every_span_of_a_request_says_which_collection_it_touches(shop: dict[str, Spans]):
    for spans in on_collections(shop).values():
        _operation, expected = root(spans)["name"].split()
        assert {attributes_of(span).get("db.collection.name") for span in spans} == {expected}


def test_traces_are_kept_for_the_reasons_that_the_rules_give(shop: dict[str, Spans]):
    kept = Counter(policy for spans in shop.values() for policy in policies(spans))
    assert kept["errors"] == 4
    assert kept["slow"] >= 1
    assert 5 <= kept["one-in-ten"] <= 40
    assert set(kept) == {"errors", "slow", "one-in-ten"}
    assert len(shop) < 181 / 2  # of the demo's 181 operations


def test_no_heartbeat_of_milvus_is_kept(stack: Stack, shop: dict[str, Spans]):
    assert set(stack.jaeger.services()) == {SHOP, "standalone", "segcore"}
    for service in ("standalone", "segcore"):
        # Work of Milvus' own that took long, on a slow machine, is no heartbeat.
        others = {
            trace_id: (policies(spans), {span["name"] for span in spans})
            for trace_id, spans in stack.jaeger.traces(service).items()
            if trace_id not in shop and policies(spans) != {"milvus-work"}
        }
        assert others == {}


def test_the_logs_of_a_kept_trace_are_found_by_its_id_with_collection_and_severity(
    stack: Stack, shop: dict[str, Spans]
):
    kept, found = set(shop), log_records(stack, "milvus.jsonl")
    access = [one for one in found if one["from"]["log.source"] == "access_log" and one.get("traceId") in kept]
    assert {one["about"].get("db.collection.name") for one in access} >= {"products"}
    assert {one["severityText"] for one in access} == {"INFO", "ERROR"}
    assert not any("Unknown" in one["about"].values() for one in access)
    failed = [one for one in access if one["severityText"] == "ERROR"]
    assert {one["severityNumber"] for one in failed} == {17}
    own = [one for one in found if one["from"]["log.source"] == "milvus_log"]
    assert {one["severityText"] for one in own} >= {"INFO", "WARN"}
    assert any(one.get("traceId") in kept for one in own)
    assert any("db.collection.name" in one["about"] for one in own)
    assert all(one["body"]["stringValue"] and not one["body"]["stringValue"].startswith("{") for one in own)
    # Nobody asked for a sample: those of the other traces are there, too.
    assert any(one.get("traceId") not in kept for one in found if one["from"]["log.source"] == "access_log")


def test_the_logs_of_one_trace_are_shown_as_the_docs_say(stack: Stack, shop: dict[str, Spans]):
    said = shown(stack, min(_failed(shop)))
    assert " ERROR  milvus access_log  2" in said
    assert "\n    " in said  # its attributes
    assert "db.collection.name=" in said
    assert len({line.partition(" ")[0][:10] for line in said.splitlines() if not line.startswith(" ")}) <= 2  # days


@pytest.mark.usefixtures("shop")
def test_the_doctor_finds_nothing_wrong_and_its_probe_arrives():
    status, said = doctor("--probe")
    assert (status, "wrong" in said, "look at  " in said) == (0, False, False), said
    for words in (
        "fine  The Collector takes traces at http://127.0.0.1:4318.",
        "fine  The processor answers at http://127.0.0.1:8888.",
        "fine  Client and Milvus are joined: all",
        "fine  Milvus' access log arrives:",
        "fine  Probe: Milvus answered a request with the trace id",
        "sampled by errors.",
        "have joined the client's trace.",
        "fine  Probe: Jaeger has the trace.",
    ):
        assert words in said, said


@pytest.mark.usefixtures("stack")
def test_the_doctor_tells_http_that_is_sent_to_the_grpc_port():
    status, said = doctor("--collector", "http://127.0.0.1:4317", "--probe", "--otlp", "http://127.0.0.1:4317")
    assert status == 1
    assert (
        "What listens at http://127.0.0.1:4317 is no OTLP/HTTP receiver: it does not speak HTTP; it is a gRPC port, most likely."
        in said
    )
    assert "HTTP goes to port 4318 (--otlp http://HOST:4318), gRPC to 4317" in said


def test_a_failed_request_of_an_application_without_any_tracing_is_kept_with_its_collection(stack: Stack):
    ask = "from pymilvus import MilvusClient; MilvusClient('http://milvus:19530').search('absent', [[0.5, 0.5]])"
    with pytest.raises(RuntimeError, match="collection not found"):
        stack.compose("--profile", "demo", "run", "--rm", "--entrypoint", "python", "demo", "-c", ask)
    search = "milvus.proto.milvus.MilvusService/Search"
    wanted = {"db.collection.name": "absent"}
    found = wait_until(
        lambda: stack.jaeger.traces("standalone", operation=search, attributes=wanted), "the trace in Jaeger", 40, 0.5
    )
    for spans in found.values():  # pymilvus tries more than once
        facts = attributes_of(root(spans))
        assert (facts["milvus.enrichment"], facts["db.response.status_code"]) == ("access_log", "100")
        assert root(spans)["status"]["code"] == ERROR
        assert policies(spans) == {"errors"}


def test_otlp_over_http_is_taken_and_web_pages_of_other_sites_are_not_let_in(stack: Stack):
    trace_id = secrets.token_bytes(16)
    request = urllib.request.Request(
        "http://127.0.0.1:4318/v1/traces",
        failed_request(trace_id).SerializeToString(),
        {"Content-Type": "application/x-protobuf", "Origin": "https://elsewhere.example.com"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert "Access-Control-Allow-Origin" not in answer.headers
    wait_until(lambda: stack.jaeger.trace(trace_id.hex()), "the trace in Jaeger", 30, 0.2)


def test_the_collector_hands_everything_over(stack: Stack):
    said = stack.compose("logs", "--no-color", "collector")
    assert "Exporting failed" not in said
    assert "deprecated" not in said


def test_traces_survive_a_restart_of_jaeger(stack: Stack, shop: dict[str, Spans]):
    stack.compose("stop", "jaeger")
    status, said = doctor()
    assert (status, "The processor cannot reach jaeger:4317, which it exports spans to: " in said) == (1, True), said
    stack.compose("start", "jaeger")
    stack.compose("up", "--wait")
    again = stack.jaeger.traces(SHOP)
    lost = {trace_id: span_ids(spans) - span_ids(again.get(trace_id, [])) for trace_id, spans in shop.items()}
    assert not any(lost.values()), lost


def test_a_processor_stopped_for_30_seconds_under_load_loses_nothing(stack: Stack):
    with Load("127.0.0.1:4317", rate=20) as load:
        wait_until(lambda: len(load.accepted) > 40, "some load before")
        stack.compose("stop", "processor")
        status, said = doctor()
        assert (status, "No processor answers at http://127.0.0.1:8888 or http://127.0.0.1:18888." in said) == (1, True)
        Event().wait(30)
        stack.compose("start", "processor")
        before = len(load.accepted)
        wait_until(lambda: len(load.accepted) > before + 100, "some load after")
    assert load.refused == []

    def missing() -> set[str]:
        return load.accepted - set(stack.jaeger.traces(SERVICE, limit=5000))

    try:
        wait_until(lambda: not missing(), "all traces in Jaeger", deadline=60, interval=1)
    except TimeoutError as error:
        error.add_note(f"{len(missing())} of {len(load.accepted)} are missing")
        raise


def alarm() -> str | None:
    """What the doctor says, if it finds something wrong."""
    status, said = doctor()
    return said if status else None


def test_a_collector_that_was_stopped_is_told_by_the_doctor_and_healthy_again_when_it_is_back(stack: Stack):
    check = health_check(stack, "collector-health")
    stack.compose("stop", "collector")
    try:
        assert "No Collector answers at http://127.0.0.1:4318: Connection refused." in doctor()[1]
        with pytest.raises(RuntimeError, match="http://collector:13133 is not healthy"):
            stack.compose("exec", "-T", "collector-health", *check)
        assert "no span has come to the processor;" in wait_until(alarm, "a long silence to be wrong", 60, 3.0)
    finally:
        stack.compose("start", "collector")
    wait_until(lambda: doctor()[0] == 0, "the Collector to send again", 60, 3.0)
    stack.compose("exec", "-T", "collector-health", *check)


def test_the_doctors_probe_finds_that_milvus_does_not_trace(stack: Stack, tmp_path: Path):
    override = tmp_path / "broken.yaml"
    override.write_text("services: {milvus: {environment: {TRACE_EXPORTER: noop}}}\n", encoding="utf-8")
    stack.compose("--file", str(override), "up", "--wait", "--no-deps", "--force-recreate", "milvus")
    status, said = doctor("--probe")
    assert status == 1, said
    assert "Probe: no span of Milvus has joined the trace." in said


def test_our_image_is_below_250_megabytes(docker: Docker):
    size = int(docker("image", "inspect", "--format", "{{.Size}}", "milvus-otel-processor"))
    assert size < 250 * MEGABYTE


def test_down_leaves_nothing(stack: Stack, docker: Docker):
    stack.down()
    ours = ("--quiet", "--filter", "label=com.docker.compose.project=milvus-otel")
    assert docker("ps", "--all", *ours) == ""
    assert docker("volume", "ls", *ours) == ""
    assert docker("network", "ls", *ours) == ""
