"""A change of the rules takes nothing back that was counted."""

from __future__ import annotations

from milvus_otel_processor.enrichment.settings import MilvusSettings
from milvus_otel_processor.telemetry.settings import MetricsSettings
from prometheus_client.parser import text_string_to_metric_families

from tests.peers.otlp_sink import otlp_sink
from tests.peers.process import free_port
from tests.support.harness import ALWAYS, ERRORS, NEVER, drop_roots, sampling
from tests.support.http import ask
from tests.support.processor import Configuration, exporter_settings, receiver_settings, running_processor
from tests.support.recordings import of_all_versions

RULES = [
    sampling(ERRORS, ALWAYS, decision_wait="10ms"),
    sampling(NEVER, decision_wait="10ms"),
    sampling(drop_roots("SyncTimestamp"), {**ALWAYS, "name": "other"}, decision_wait="10ms"),
]
Key = tuple[str, frozenset[tuple[str, str]]]


def shown(port: int) -> dict[Key, float]:
    """All that only ever grows on the page, but for zeros."""
    text = ask(f"http://127.0.0.1:{port}/metrics").body.decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if family.type in ("counter", "histogram") and sample.value and not sample.name.startswith("process_")
    }


def test_what_is_counted_stays_counted_when_the_rules_are_replaced() -> None:
    port = free_port()
    reader = {"pull": {"exporter": {"prometheus": {"host": "127.0.0.1", "port": port}}}}
    requests = list(of_all_versions())
    with otlp_sink() as sink:
        configuration = Configuration(
            receiver_settings(),
            exporter_settings(sink.endpoint),
            RULES[0],
            milvus=MilvusSettings.model_validate({"catalogue": {"enabled": False}}),
            metrics=MetricsSettings.model_validate({"readers": [reader]}),
        )
        with running_processor(configuration) as running:
            before: dict[Key, float] = {}
            for rules in (*RULES[1:], *RULES):
                for request in requests[:40]:
                    running.send(request)
                now = shown(port)
                assert {key: (value, now.get(key)) for key, value in before.items() if now.get(key, 0) < value} == {}
                running.service.replace_rules(rules)
                after = shown(port)
                assert {key: (value, after.get(key)) for key, value in now.items() if after.get(key, 0) < value} == {}
                before = after
            assert any(name == "milvus_request_duration_seconds_count" for name, _ in before)
