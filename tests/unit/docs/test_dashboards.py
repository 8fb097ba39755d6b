"""Grafana's dashboards are those that the code makes, and ask for metrics that there are."""

import json
import re
from pathlib import Path
from typing import Any

import dashboards
import pytest
from milvus_otel_processor.requests.families import DURATION, STAGE_DURATION
from milvus_otel_processor.telemetry.family import HISTOGRAM, prometheus_name
from milvus_otel_processor.telemetry.instruments import COUNTER, METRICS, PREFIX
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[3]
GRAFANA = ROOT / "compose" / "grafana"
SUFFIXES = {COUNTER: ("_total",), HISTOGRAM: ("_bucket", "_count", "_sum")}
OURS = {PREFIX + metric.name + suffix for metric in METRICS for suffix in SUFFIXES.get(metric.kind, ("",))} | {
    prometheus_name(name, "s") + suffix for name in (DURATION, STAGE_DURATION) for suffix in SUFFIXES[HISTOGRAM]
}
OF_REQUESTS = {"db_namespace", "db_collection_name", "db_operation_name", "error_type", "service_name", "stage"}
LABELS = {label for metric in METRICS for label in metric.labels} | OF_REQUESTS


def expressions(dashboard: dict[str, Any]) -> list[str]:
    return [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]


@pytest.mark.parametrize("name", dashboards.DASHBOARDS)
def test_a_dashboard_is_what_the_code_makes(name: str) -> None:
    """If not: uv run python compose/grafana/dashboards.py."""
    assert (GRAFANA / "dashboards" / f"{name}.json").read_text(encoding="utf-8") == dashboards.text(name)


@pytest.mark.parametrize("name", dashboards.DASHBOARDS)
def test_every_metric_and_label_of_ours_that_a_panel_asks_for_exists(name: str) -> None:
    for expression in expressions(json.loads(dashboards.text(name))):
        ours = set(re.findall(r"milvus_(?:otel|request)_\w+", expression))
        assert ours <= OURS, ours - OURS
        if ours:
            named = {one.strip() for found in re.findall(r"by \(([^)]*)\)", expression) for one in found.split(",")}
            assert named - {"le", "exporter", "job"} <= LABELS, expression


def test_panels_of_the_requests_can_be_chosen_by_database_and_collection() -> None:
    made = json.loads(dashboards.text("requests"))
    assert [variable["name"] for variable in made["templating"]["list"]] == ["database", "collection"]
    chosen = [expression for expression in expressions(made) if "milvus_request_" in expression]
    assert all("$database" in expression and "$collection" in expression for expression in chosen)


def test_data_sources_are_those_that_the_panels_name_and_exemplars_lead_to_jaeger() -> None:
    sources = YAML(typ="safe").load(GRAFANA / "provisioning" / "datasources" / "datasources.yaml")["datasources"]
    by_uid = {source["uid"]: source for source in sources}
    assert set(by_uid) == {"prometheus", "jaeger"}
    (exemplars,) = by_uid["prometheus"]["jsonData"]["exemplarTraceIdDestinations"]
    assert (exemplars["name"], exemplars["datasourceUid"]) == ("trace_id", "jaeger")
    for name in dashboards.DASHBOARDS:
        uids = set(re.findall(r'"uid": "([a-z]+)"', dashboards.text(name)))
        assert uids == {"prometheus"}


def test_dashboards_are_where_grafana_looks_for_them() -> None:
    (provider,) = YAML(typ="safe").load(GRAFANA / "provisioning" / "dashboards" / "dashboards.yaml")["providers"]
    overlay = YAML(typ="safe").load(ROOT / "compose" / "compose.metrics.yaml")
    grafana = overlay["services"]["grafana"]
    assert f"./compose/grafana/dashboards:{provider['options']['path']}:ro" in grafana["volumes"]
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{provider['options']['path']}/requests.json"
