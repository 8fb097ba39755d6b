"""The stack with Prometheus, and logs sampled with their trace: all queries have data, exemplars and logs lead to kept traces."""

import json
import re
import secrets
import time
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest
from ruamel.yaml import YAML

from tests.peers.prometheus import Prometheus
from tests.peers.waiting import wait_until
from tests.stack.conftest import Stack
from tests.stack.engine import ROOT
from tests.stack.load import export, failed_request, heartbeat
from tests.stack.logs import bodies, export_logs, log_files, log_records, shown

PROMETHEUS = Prometheus("http://127.0.0.1:9090")
SCRAPED_TWICE = 90.0
"""Seconds in which everything was scraped at least twice, so that it has a rate."""
PATIENCE = 120.0
WITHOUT_DATA = {
    "milvus_otel_certificate_expiry_timestamp_seconds": "no part has a certificate in this stack",
}

NO_GRAFANA = "services: {grafana: !reset null}\n"
"""Its image cannot be had; its files are checked by tests/unit/docs/test_dashboards.py."""


@pytest.fixture(scope="module")
def overlays(project: Path) -> Sequence[str]:
    (project / "no-grafana.yaml").write_text(NO_GRAFANA, encoding="utf-8")
    return ("compose/compose.metrics.yaml", "compose/compose.logs.yaml", "no-grafana.yaml")


@pytest.fixture(scope="module")
def environment() -> Mapping[str, str]:
    return {}


@pytest.fixture(scope="module")
def shop(stack: Stack) -> str:
    """What the demo said, once all of its requests are counted in Prometheus."""
    told = stack.compose("--profile", "demo", "run", "--rm", "demo")
    until = time.monotonic() + SCRAPED_TWICE
    wait_until(
        lambda: PROMETHEUS.query('milvus_request_duration_seconds_count{db_collection_name="products",error_type!=""}'),
        "the demo's failures in Prometheus",
        PATIENCE,
        1,
    )
    wait_until(lambda: time.monotonic() > until, "two scrapes of all parts", SCRAPED_TWICE + 1, 1)
    return told


def panels() -> list[tuple[str, str]]:
    """Each query of each panel, with whose it is."""
    return [
        (f"{file.stem}: {panel['title']}: {target['legendFormat']}", target["expr"])
        for file in sorted((ROOT / "compose" / "grafana" / "dashboards").glob("*.json"))
        for panel in json.loads(file.read_text(encoding="utf-8"))["panels"]
        for target in panel.get("targets", [])
    ]


def asked(expression: str) -> str:
    """The query as Grafana sends it, with everything chosen."""
    for variable, value in (("$database", ".*"), ("$collection", ".*"), ("$__rate_interval", "5m")):
        expression = expression.replace(variable, value)
    return expression


@pytest.mark.usefixtures("shop")
def test_every_query_of_every_panel_has_data():
    empty = {whose: query for whose, expression in panels() if not PROMETHEUS.query(query := asked(expression))}
    assert empty == {}


def selectors() -> set[str]:
    """What the alerts look at: each metric with its labels, without what is asked about it."""
    groups = YAML(typ="safe").load(ROOT / "compose" / "prometheus" / "alerts.yaml")["groups"]
    expressions = " ".join(rule["expr"] for group in groups for rule in group["rules"])
    return set(re.findall(r"(?:milvus|process)_[a-z_]+(?:\{[^}]*\})?", expressions))


@pytest.mark.usefixtures("shop")
def test_everything_that_an_alert_looks_at_has_data():
    empty = {selector for selector in selectors() if not PROMETHEUS.query(selector)}
    assert empty == set(WITHOUT_DATA)


@pytest.mark.usefixtures("shop")
def test_prometheus_has_read_the_alerts_and_none_fires():
    with urllib.request.urlopen(f"{PROMETHEUS.url}/api/v1/rules", timeout=10) as answer:
        groups = json.load(answer)["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert {rule["health"] for rule in rules} == {"ok"}, [rule.get("lastError") for rule in rules]
    assert [rule["name"] for rule in rules if rule["state"] == "firing"] == []


@pytest.mark.usefixtures("shop")
def test_all_of_the_demos_requests_are_counted_although_few_are_kept(stack: Stack):
    (counted,) = PROMETHEUS.query('sum(milvus_request_duration_seconds_count{service_name="demo-shop"})')
    assert float(counted["value"][1]) > 2 * len(stack.jaeger.traces("demo-shop"))


@pytest.mark.usefixtures("shop")
def test_an_exemplar_leads_to_a_trace_that_was_kept(stack: Stack):
    now = time.time()
    found = PROMETHEUS.exemplars("milvus_request_duration_seconds_bucket", now - 3600, now)
    traces = {one["labels"]["trace_id"] for series in found for one in series["exemplars"]}
    assert traces
    assert all(stack.jaeger.trace(trace_id) for trace_id in traces)


def monitor(metric: str, service: str, kind: str, **more: Any) -> dict[str, Any]:
    """What Jaeger's Monitor page asks for."""
    query = {
        "service": service,
        "spanKind": kind,
        "groupByOperation": "true",
        "endTs": int(time.time() * 1000),
        "lookback": 3_600_000,
        "step": 15_000,
        "ratePer": 300_000,
        **more,
    }
    url = f"http://127.0.0.1:16686/api/metrics/{metric}?{urllib.parse.urlencode(query)}"
    with urllib.request.urlopen(url, timeout=30) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def operations(found: dict[str, Any]) -> set[str]:
    return {
        label["value"]
        for metric in found.get("metrics", [])
        for label in metric["labels"]
        if label["name"] == "operation"
    }


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("service", "kind", "operation"),
    [
        ("standalone", "server", "milvus.proto.milvus.MilvusService/Search"),
        ("demo-shop", "client", "search products"),
    ],
    ids=["Milvus", "the application"],
)
def test_jaegers_monitor_page_has_rate_errors_and_duration_of_all_requests(
    stack: Stack, service: str, kind: str, operation: str
):
    assert operation in operations(monitor("calls", service, kind))
    assert operation in operations(monitor("latencies", service, kind, quantile=0.95))
    assert operations(monitor("errors", service, kind))
    assert stack.jaeger.traces(service, operation=operation)  # where the page leads to


@pytest.mark.usefixtures("shop")
def test_an_applications_own_metrics_are_in_prometheus(stack: Stack):
    send = (
        "from opentelemetry.sdk.metrics import MeterProvider; "
        "from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader as R; "
        "from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as E; "
        "p = MeterProvider([R(E('http://collector:4317', insecure=True))]); "
        "p.get_meter('x').create_histogram('shop.checkout.duration', 's').record(0.5); p.shutdown()"
    )
    stack.compose("--profile", "demo", "run", "--rm", "--entrypoint", "python", "demo", "-c", send)
    wait_until(
        lambda: PROMETHEUS.query("shop_checkout_duration_seconds_count"), "the application's metric", PATIENCE, 1
    )


@pytest.mark.usefixtures("shop")
def test_of_the_logs_those_of_kept_traces_are_there_and_no_others(stack: Stack):
    kept, dropped = secrets.token_bytes(16), secrets.token_bytes(16)
    with grpc.insecure_channel("127.0.0.1:4317") as channel:
        export(channel, failed_request(kept))
        export(channel, heartbeat(dropped))
        export_logs(channel, (kept, "of a kept trace"), (dropped, "of a dropped one"))
    wait_until(lambda: "of a kept trace" in bodies(log_records(stack)), "the log of the kept trace", 40, 2.0)
    found = log_records(stack)
    assert "of a dropped one" not in bodies(found)
    assert "of a kept trace\n" in shown(stack, kept.hex())
    by_trace = {one["traceId"] for one in found if one.get("traceId")}
    assert len(by_trace) > 5
    assert {trace_id for trace_id in by_trace if not stack.jaeger.trace(trace_id)} == set()
    assert {one["from"].get("log.source") for one in found if one.get("traceId")} == {"access_log", "milvus_log", None}
    # Of the demo's 181 calls few are kept.
    assert len([one for one in found if one["from"].get("log.source") == "access_log"]) < 90


@pytest.mark.usefixtures("shop")
def test_the_file_of_milvus_logs_is_not_written_where_all_are_sampled(stack: Stack):
    assert log_files(stack) == ["logs.jsonl"]


def test_the_collector_hands_everything_over(stack: Stack):
    said = stack.compose("logs", "--no-color", "collector")
    for trouble in ("Exporting failed", "deprecated", "permission denied", "Permanent error"):
        assert trouble not in said


def test_all_parts_end_by_themselves_and_no_log_record_is_lost_that_waits_for_its_trace(stack: Stack):
    with grpc.insecure_channel("127.0.0.1:4317") as channel:
        export_logs(channel, (secrets.token_bytes(16), "of a trace that nobody has seen"))
    stack.compose("--profile", "demo", "stop")
    states = map(json.loads, stack.compose("ps", "--all", "--format", "json").splitlines())
    codes = {state["Service"]: state["ExitCode"] for state in states}
    del codes["milvus"]  # whose stop may hang, or end with an abort of its core
    assert codes.pop("collector-health") in {0, 143}  # `sleep`, below Docker's init
    assert set(codes.values()) == {0}, codes
    assert "of a trace that nobody has seen" in bodies(log_records(stack))
    assert "of a dropped one" not in bodies(log_records(stack))  # nor later than the kept ones
    said = stack.compose("logs", "--no-color", "--no-log-prefix", "processor").splitlines()
    # Milvus ends before the processor, which may want to read its catalogue meanwhile.
    without_milvus = " warn  the catalogue cannot be read, "
    assert [line for line in said if " info " not in line and without_milvus not in line] == []
