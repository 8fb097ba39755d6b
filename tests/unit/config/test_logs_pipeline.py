# ruff: noqa: E501 - a case is one line: what is changed, and what is said of it
"""The pipeline for logs: what takes part, and each mistake with its line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from milvus_otel_processor.config import load_config

if TYPE_CHECKING:
    from tests.unit.config.conftest import ConfigFolder

CONFIG = """\
receivers: {otlp: {protocols: {grpc: {}}}}
processors:
  tail_sampling: {policies: [{name: all, type: always_sample}]}
  log_sampling: {}
  redaction: {allow_all_keys: true}
exporters:
  otlp: {endpoint: "jaeger:4317"}
  otlp/logs: {endpoint: "collector:4319", tls: {insecure: true}}
service:
  pipelines:
    traces: {receivers: [otlp], processors: [tail_sampling, redaction], exporters: [otlp]}
    logs: {receivers: [otlp], processors: [log_sampling, redaction], exporters: [otlp/logs]}
"""
LOGS = "    logs: {receivers: [otlp], processors: [log_sampling, redaction], exporters: [otlp/logs]}\n"


def test_it_is_off_unless_it_is_listed() -> None:
    assert load_config(None, environ={}).config.logs is None


def test_it_has_its_settings_its_exporter_and_what_must_not_leave(folder: ConfigFolder) -> None:
    folder.write("config.yaml", CONFIG)
    logs = folder.load().logs
    assert logs is not None
    assert (logs.sampling.unknown_trace, logs.sampling.without_trace_id, logs.sampling.additional_wait) == (
        "keep",
        "keep",
        5.0,
    )
    assert (logs.exporter.endpoint, logs.exporter_name, logs.redaction is not None) == (
        "collector:4319",
        "otlp/logs",
        True,
    )
    assert folder.warnings() == []


@pytest.mark.parametrize(
    "off", ["    logs:\n", "    logs: ${env:LOGS_PIPELINE:-}\n"], ids=["empty", "an empty variable"]
)
def test_switched_off_it_needs_nothing_else_to_be_changed(folder: ConfigFolder, off: str) -> None:
    folder.write("config.yaml", CONFIG.replace(LOGS, off))
    assert folder.load().logs is None
    assert folder.warnings() == []


def test_a_variable_switches_it_on(folder: ConfigFolder) -> None:
    folder.write("config.yaml", CONFIG.replace(LOGS, "    logs: ${env:LOGS_PIPELINE:-}\n"))
    value = "{receivers: [otlp], processors: [log_sampling, redaction], exporters: [otlp/logs]}"
    loaded = load_config(folder.path / "config.yaml", environ={"LOGS_PIPELINE": value})
    assert loaded.config.logs is not None
    assert loaded.warnings == ()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[log_sampling, redaction]", "[log_smpling]", 'config.yaml:12: service.pipelines.logs.processors[0]: "log_smpling" is not defined under processors, expected one of tail_sampling, log_sampling, redaction; did you mean "log_sampling"?'),
        ("[log_sampling, redaction]", "[tail_sampling]", 'config.yaml:12: service.pipelines.logs.processors[0]: "tail_sampling" cannot stand here, expected [log_sampling], or [log_sampling, redaction]'),
        ("[log_sampling, redaction]", "[redaction, log_sampling]", 'config.yaml:12: service.pipelines.logs.processors[0]: "redaction" cannot stand here, expected [log_sampling], or [log_sampling, redaction]'),
        ("[log_sampling, redaction]", "[]", "config.yaml:12: service.pipelines.logs.processors: [] is empty, expected at least one entry"),
        ("[log_sampling, redaction]", "[log_sampling]", "config.yaml:12: service.pipelines.logs.processors: redaction is missing here, and the pipeline for traces has it: what must not leave would leave in log records; list it behind log_sampling (or a redaction/NAME with `allow_all_keys: true`, which takes nothing out)"),
        ("[tail_sampling, redaction]", "[redaction]", "config.yaml:12: service.pipelines.logs.processors: log_sampling needs tail_sampling under service.pipelines.traces.processors: without it no trace is dropped, nor any log record"),
        ("[tail_sampling, redaction]", "[tail_sampling, log_sampling, redaction]", 'config.yaml:11: service.pipelines.traces.processors[1]: "log_sampling" samples log records; list it under service.pipelines.logs.processors'),
        ("exporters: [otlp/logs]", "exporters: [otlp/log]", 'config.yaml:12: service.pipelines.logs.exporters[0]: "otlp/log" is not defined under exporters, expected one of otlp, otlp/logs; did you mean "otlp/logs"?'),
        ("exporters: [otlp/logs]", "exporters: [otlp, otlp/logs]", 'config.yaml:12: service.pipelines.logs.exporters: ["otlp", "otlp/logs"] has 2 entries, expected 1'),
        ("logs: {receivers: [otlp]", "logs: {receivers: [otlp/2]", 'config.yaml:12: service.pipelines.logs.receivers[0]: "otlp/2" is not the receiver of the pipeline for traces, expected otlp: there is one'),
        ("log_sampling: {}", "log_sampling: {unknown_trace: maybe}", 'config.yaml:4: processors.log_sampling.unknown_trace: "maybe" is not known, expected one of keep, drop'),
        ("log_sampling: {}", "log_sampling: {additional_wait: 5}", "config.yaml:4: processors.log_sampling.additional_wait: 5: expected a duration with its unit, such as 10s, 1m30s or 500ms"),
        ("log_sampling: {}", "log_sampling: {max_size_mib: 0}", "config.yaml:4: processors.log_sampling.max_size_mib: 0: expected a value greater than 0"),
        ("log_sampling: {}", "log_sampling: {max_size: 1}", 'config.yaml:4: processors.log_sampling.max_size: is not a known key, expected one of without_trace_id, unknown_trace, additional_wait, max_size_mib; did you mean "max_size_mib"?'),
    ],
)  # fmt: skip
def test_a_mistake_is_said_at_its_line(folder: ConfigFolder, old: str, new: str, message: str) -> None:
    folder.write("config.yaml", CONFIG.replace(old, new, 1))
    assert message in folder.problems()


def test_a_processor_of_logs_that_is_not_listed_is_a_warning(folder: ConfigFolder) -> None:
    folder.write("config.yaml", CONFIG.replace(LOGS, ""))
    assert (
        "config.yaml:4: processors.log_sampling: is not used, service.pipelines.logs.processors does not list it"
        in folder.warnings()
    )


def test_decisions_that_are_not_remembered_are_a_warning(folder: ConfigFolder) -> None:
    folder.write("config.yaml", CONFIG.replace("{policies:", "{decision_cache: {non_sampled_cache_size: 0}, policies:"))
    (warning,) = folder.warnings()
    assert warning.startswith(
        "config.yaml:4: processors.log_sampling.unknown_trace: is what decides over records of such traces"
    )
