"""The alerts speak of metrics that there are."""

import re
from pathlib import Path

from milvus_otel_processor.telemetry.counters import Lost, Refused
from milvus_otel_processor.telemetry.instruments import COUNTER, METRICS, PREFIX
from ruamel.yaml import YAML

DOCS = Path(__file__).parents[3] / "docs"


def rules() -> list[dict[str, str]]:
    (group,) = YAML(typ="safe").load(DOCS / "alerts.yaml")["groups"]
    found: list[dict[str, str]] = group["rules"]
    return found


def test_every_metric_and_reason_in_an_alert_exists() -> None:
    names = {PREFIX + metric.name + ("_total" if metric.kind == COUNTER else "") for metric in METRICS}
    reasons = {reason.value for reason in (*Lost, *Refused)} | {"memory_limit"}
    for rule in rules():
        used = set(re.findall(r"milvus_otel_\w+", rule["expr"]))
        assert used, rule["alert"]
        assert used <= names, used - names
        assert set(re.findall(r'reason="(\w+)"', rule["expr"])) <= reasons


def test_every_reason_for_losing_and_refusing_is_explained() -> None:
    text = (DOCS / "metrics.md").read_text(encoding="utf-8")
    for reason in (*Lost, *(reason for reason in Refused if reason is not Refused.INVALID_TRACE_ID)):
        assert f"| `{reason.value}` |" in text, reason
