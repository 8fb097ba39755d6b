"""The processor's own metrics."""

import dataclasses
import socket
from pathlib import Path

import pytest
from milvus_otel_processor.enrichment import enricher
from milvus_otel_processor.enrichment.access_log import contract
from milvus_otel_processor.enrichment.settings import SOURCES
from milvus_otel_processor.pipeline import late, triggers
from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.service.making import StartError
from milvus_otel_processor.service.service import Service
from milvus_otel_processor.telemetry import metrics, reasons
from milvus_otel_processor.telemetry.counters import Amount, Histogram, Lost, Snapshot, Telemetry
from milvus_otel_processor.telemetry.instruments import METRICS
from milvus_otel_processor.telemetry.log_records import LogCounts
from milvus_otel_processor.telemetry.own import own_metrics
from milvus_otel_processor.telemetry.settings import MetricsSettings
from milvus_otel_processor.web.metrics import metrics_routes

from tests.support.http import ask, served
from tests.support.processor import Configuration, exporter_settings, receiver_settings


def scraped(telemetry: Telemetry) -> str:
    with served(metrics_routes(own_metrics(telemetry.snapshot))) as url:
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


def test_a_histogram_shows_how_many_were_up_to_each_bound() -> None:
    telemetry = Telemetry()
    for seconds in (0.001, 0.0011, 7.0, 99.0):
        telemetry.sent_in(seconds)
    text = scraped(telemetry)
    name = "milvus_otel_exporter_send_duration_seconds"
    assert f'{name}_bucket{{le="0.001"}} 1.0' in text
    assert f'{name}_bucket{{le="0.0025"}} 2.0' in text
    assert f'{name}_bucket{{le="10.0"}} 3.0' in text
    assert f'{name}_bucket{{le="+Inf"}} 4.0' in text
    assert f"{name}_sum 106.0021" in text


def test_what_is_known_before_it_happens_begins_at_0() -> None:
    telemetry = Telemetry()
    telemetry.policies = {"errors": "sampled", "noise": "dropped"}
    text = scraped(telemetry)
    for line in (
        'lost_spans_total{reason="rejected"} 0.0',
        'receiver_refused_requests_total{reason="memory_limit"} 0.0',
        'processor_decided_traces_total{decision="sampled",policy="errors"} 0.0',
        'processor_decided_spans_total{decision="dropped",policy="noise"} 0.0',
        'processor_decided_traces_total{decision="not_sampled",policy=""} 0.0',
        'processor_policy_votes_total{decision="dropped",policy="noise"} 0.0',
        'processor_policy_evaluation_errors_total{policy="errors"} 0.0',
        'processor_early_decisions_total{reason="memory_limit"} 0.0',
        'failed_handshakes_total{reason="HTTP_REQUEST"} 0.0',
    ):
        assert f"milvus_otel_{line}\n" in text, line


def test_the_words_that_begin_at_0_are_those_of_the_code() -> None:
    early_decisions = {
        triggers.FIRST_MATCH,
        triggers.NUM_TRACES,
        triggers.MAX_MEMORY,
        triggers.TRACE_SIZE,
        triggers.MEMORY_LIMIT,
    }
    assert set(reasons.EARLY) == early_decisions
    assert set(reasons.LINES) == {
        contract.RECEIVED,
        contract.DOUBLED,
        contract.EVICTED,
        contract.MALFORMED,
        contract.FOREIGN,
    }
    assert set(reasons.SOURCES) == set(SOURCES)
    assert set(reasons.FOUND) - set(SOURCES) == {enricher.NO_COLLECTION, enricher.UNKNOWN, enricher.AMBIGUOUS}
    assert set(reasons.LATE) == {late.SAMPLED, late.NOT_SAMPLED}
    assert {reasons.SAMPLED, reasons.NOT_SAMPLED, reasons.DROPPED} == {decision.value for decision in Decision}


def test_a_time_that_there_is_nothing_of_is_not_shown() -> None:
    telemetry = Telemetry()
    assert "access_log_last_line_timestamp_seconds 0" not in scraped(telemetry)
    telemetry.access_log_last_line = 0.0
    assert "milvus_otel_processor_access_log_last_line_timestamp_seconds 0.0" in scraped(telemetry)


def test_each_counter_of_the_telemetry_changes_a_metric() -> None:
    def shown(snapshot: Snapshot) -> list[object]:
        return [metric.values(snapshot) for metric in METRICS]

    nothing = shown(Snapshot())
    samples: dict[str, object] = {
        "decisions": {("sampled", "x"): Amount(1, 1)},
        "shadow_decisions": {("x", "sampled", "dropped"): Amount(1, 1)},
        "rules_hash": "abc",
        "logs": LogCounts(received=1),
    }
    # Spans tell more; what policies there are shows in what begins at 0; a text is no metric.
    unseen = {"received_requests", "policies", "reload_problems"}
    observed = Histogram((1.0,))
    observed.observe(0.5)
    for field in dataclasses.fields(Snapshot):
        kinds = {"int": 1, "float": 1.0, "Histogram": observed}
        value = samples.get(field.name, kinds.get(str(field.type), {"x": 1}))
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
