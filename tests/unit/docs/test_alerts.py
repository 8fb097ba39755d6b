"""The alerts: they speak of metrics that there are, fire when they should, and are explained."""

import re
import subprocess
from pathlib import Path
from typing import Any

from milvus_otel_processor.requests.families import DURATION, STAGE_DURATION
from milvus_otel_processor.telemetry.family import prometheus_name
from milvus_otel_processor.telemetry.instruments import COUNTER, HISTOGRAM, METRICS, PREFIX
from milvus_otel_processor.telemetry.reasons import EARLY, FOUND, LOST, LOST_LOG_RECORDS, REFUSED_REQUESTS
from ruamel.yaml import YAML

from tests.peers.missing import require_command

ROOT = Path(__file__).parents[3]
PROMETHEUS = ROOT / "compose" / "prometheus"
OF_REQUESTS = {
    f"{prometheus_name(name, 's')}{part}"
    for name in (DURATION, STAGE_DURATION)
    for part in ("_bucket", "_count", "_sum")
}
NAMES = {
    PREFIX + metric.name + {COUNTER: "_total", HISTOGRAM: "_bucket"}.get(metric.kind, ""): metric for metric in METRICS
}


def rules() -> list[dict[str, Any]]:
    groups = YAML(typ="safe").load(PROMETHEUS / "alerts.yaml")["groups"]
    return [rule for group in groups for rule in group["rules"]]


def test_every_metric_and_reason_in_an_alert_exists() -> None:
    words = {*LOST, *REFUSED_REQUESTS, *EARLY, *FOUND}
    for rule in rules():
        used = set(re.findall(r"milvus_\w+", rule["expr"]))
        assert used, rule["alert"]
        assert used <= NAMES.keys() | OF_REQUESTS, used - NAMES.keys()
        assert set(re.findall(r'(?:reason|source)="(\w+)"', rule["expr"])) <= words


def test_each_metric_names_the_alerts_that_look_at_it() -> None:
    for name, metric in NAMES.items():
        looking = {rule["alert"] for rule in rules() if re.search(rf"{name}\b", rule["expr"])}
        if metric.name == "ready":
            looking.discard("MilvusOtelRestarts")  # which is about another one, and only asks whose it is
        assert looking == set(metric.alerts), name


def test_each_alert_fires_at_its_trouble_and_at_nothing_else() -> None:
    promtool = require_command("promtool", "the alerts' test")
    command = [promtool, "test", "rules", "alerts.test.yaml"]
    tested = subprocess.run(command, cwd=PROMETHEUS, capture_output=True, text=True, timeout=120, check=False)
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_the_example_of_a_prometheus_is_valid() -> None:
    # That of the stack has settings which Debian's promtool does not know: tests/stack runs it.
    promtool = require_command("promtool", "the check of the example")
    command = [promtool, "check", "config", "prometheus.yaml"]
    checked = subprocess.run(command, cwd=PROMETHEUS, capture_output=True, text=True, timeout=120, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_alert_is_made_to_fire_by_the_test_and_is_explained() -> None:
    tested = (PROMETHEUS / "alerts.test.yaml").read_text(encoding="utf-8")
    explained = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    for rule in rules():
        assert f'alertname="{rule["alert"]}"' in tested, rule["alert"]
        assert f"| `{rule['alert']}` |" in explained, rule["alert"]


def test_every_reason_for_losing_and_refusing_is_explained() -> None:
    text = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    for reason in (*LOST, *LOST_LOG_RECORDS, *REFUSED_REQUESTS):
        assert f"| `{reason}` |" in text, reason
