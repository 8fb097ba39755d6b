"""The processor's own metrics."""

import dataclasses
import socket
from pathlib import Path

import pytest
from milvus_otel_processor.service.service import Service, StartError
from milvus_otel_processor.telemetry import metrics
from milvus_otel_processor.telemetry.counters import Amount, Lost, Snapshot, Telemetry
from milvus_otel_processor.telemetry.instruments import METRICS
from milvus_otel_processor.telemetry.metrics import MetricsSettings
from milvus_otel_processor.web.metrics import metrics_routes

from tests.support.http import ask, served
from tests.support.processor import Configuration, exporter_settings, receiver_settings


def scraped(telemetry: Telemetry) -> str:
    with served(metrics_routes(telemetry.snapshot)) as url:
        return ask(f"{url}/metrics").body.decode()


def test_a_scrape_shows_every_lost_span_with_its_reason() -> None:
    telemetry = Telemetry()
    for count, reason in enumerate(Lost, start=1):
        telemetry.lost(reason, count, queued=False)
    text = scraped(telemetry)
    for count, reason in enumerate(Lost, start=1):
        assert f'milvus_otel_lost_spans_total{{reason="{reason.value}"}} {count}.0' in text


def test_a_scrape_shows_decisions_by_policy() -> None:
    telemetry = Telemetry()
    telemetry.tally("sampled", "errors").add(7)
    text = scraped(telemetry)
    assert 'milvus_otel_processor_decided_traces_total{decision="sampled",policy="errors"} 1.0' in text
    assert 'milvus_otel_processor_decided_spans_total{decision="sampled",policy="errors"} 7.0' in text


def test_each_counter_of_the_telemetry_changes_a_metric() -> None:
    def shown(snapshot: Snapshot) -> list[object]:
        return [metric.values(snapshot) for metric in METRICS]

    nothing = shown(Snapshot())
    samples: dict[str, object] = {
        "decisions": {("sampled", "x"): Amount(1, 1)},
        "shadow_decisions": {("x", "sampled", "dropped"): Amount(1, 1)},
    }
    unseen = {"received_requests"}  # spans tell more
    for field in dataclasses.fields(Snapshot):
        value = samples.get(field.name, 1 if field.type == "int" else {"x": 1})
        changed = Snapshot(**{field.name: value})  # type: ignore[arg-type]
        assert (shown(changed) != nothing) == (field.name not in unseen), field.name


def test_the_reference_of_metrics_is_current() -> None:
    page = Path(__file__).parents[3] / "docs" / "metrics.md"
    assert page.read_text(encoding="utf-8") == metrics.reference()


def test_every_reason_for_a_loss_is_explained_in_the_reference() -> None:
    for reason in Lost:
        assert f"| `{reason.value}` |" in metrics.reference()


def test_a_port_for_metrics_that_is_taken_stops_the_start_with_the_setting_and_the_port() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        reader = {"pull": {"exporter": {"prometheus": {"host": "127.0.0.1", "port": port}}}}
        settings = MetricsSettings.model_validate({"readers": [reader]})
        service = Service(Configuration(receiver_settings(), exporter_settings("127.0.0.1:1"), metrics=settings))
        with pytest.raises(
            StartError, match=rf"service\.telemetry\.metrics\.readers: cannot listen on 127.0.0.1:{port}"
        ):
            service.start()


def test_level_none_turns_the_metrics_off() -> None:
    reader = {"pull": {"exporter": {"prometheus": {"port": 1}}}}
    assert MetricsSettings.model_validate({"level": "none", "readers": [reader]}).endpoints == []
    assert len(MetricsSettings.model_validate({"readers": [reader]}).endpoints) == 1
