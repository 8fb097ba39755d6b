"""Every configuration that the stack mounts is loaded by the program that it is for, or checked against its documents."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from milvus_otel_processor.cli import main
from ruamel.yaml import YAML

from tests.peers.collector import collector_binary, validate
from tests.peers.jaeger import jaeger_binary
from tests.stack.certificates import make_certificates
from tests.stack.engine import ROOT

SLIM_MANIFEST = ROOT / "collector" / "builder.yaml"
BASE, TLS = ROOT / "collector" / "config.yaml", ROOT / "collector" / "tls.yaml"
LOGS = ROOT / "collector" / "logs.yaml"
METRICS, NOTHING = ROOT / "collector" / "metrics.yaml", ROOT / "collector" / "nothing.yaml"


def here(configuration: Path, folder: Path) -> Path:
    """The configuration with a folder of this machine where it has the container's: one that is not there is refused."""
    text = configuration.read_text(encoding="utf-8")
    for there in ("/var/lib/otelcol", "/var/log/applications"):
        text = text.replace(there, str(folder))
    copy = folder / configuration.name
    copy.write_text(text.replace("/etc/otelcol-contrib/tls", str(folder / "tls")), encoding="utf-8")
    return copy


@pytest.mark.parametrize(
    "overlay",
    [(NOTHING,), (NOTHING, TLS), (METRICS, NOTHING), (METRICS, NOTHING, TLS), (LOGS,), (METRICS, LOGS, TLS)],
    ids=["plain", "tls", "metrics", "metrics and tls", "logs", "metrics, logs and tls"],
)
def test_the_slim_collector_accepts_the_stacks_configuration(tmp_path: Path, overlay: tuple[Path, ...]):
    make_certificates(tmp_path / "tls")
    files = [here(path, tmp_path) for path in (BASE, *overlay)]
    result = validate(*files, environment={"COLLECTOR_TOKEN": "secret"}, manifest=SLIM_MANIFEST)
    assert result.accepted, result.output
    assert "deprecated" not in result.output


OF_THE_OPENSEARCH_EXPORTER = {
    *("http", "timeout", "retry_on_failure", "sending_queue", "mapping", "dataset", "namespace", "bulk_action"),
    *("logs_index", "logs_index_fallback", "logs_index_time_format"),
}
"""Keys that are in its source: exporter/opensearchexporter/config.go and config.schema.yaml of opentelemetry-collector-contrib."""


def test_the_exporter_to_opensearch_is_given_keys_that_it_has():
    over = YAML(typ="safe").load(ROOT / "collector" / "opensearch.yaml")
    (settings,) = over["exporters"].values()
    assert settings.keys() <= OF_THE_OPENSEARCH_EXPORTER
    assert settings["http"].keys() == {"endpoint"}
    # Patterns of Java that the exporter translates to Go's: yyyy, yy, MM, dd, HH, mm, ss (index_resolver.go).
    assert settings["logs_index_time_format"] == "yyyy.MM.dd"


def test_the_slim_collector_has_only_what_the_configurations_use():
    yaml = YAML(typ="safe")
    used = {
        name for path in (BASE, METRICS, LOGS, TLS) for name in _components(yaml.load(path.read_text(encoding="utf-8")))
    }
    listed = subprocess.run([collector_binary(SLIM_MANIFEST), "components"], capture_output=True, text=True, check=True)
    built = yaml.load(listed.stdout)
    kinds = ("receivers", "processors", "exporters", "extensions", "connectors")
    assert {component["name"] for kind in kinds for component in built.get(kind) or []} == used


def _components(configuration: dict[str, Any]) -> set[str]:
    kinds = ("receivers", "processors", "exporters", "extensions")
    return {name.partition("/")[0] for kind in kinds for name in configuration.get(kind, {})}


def test_the_slim_collector_is_a_fraction_of_the_size_of_one_with_more():
    # More than half of it is what the Prometheus receiver brings.
    assert collector_binary(SLIM_MANIFEST).stat().st_size < collector_binary().stat().st_size * 0.7


@pytest.mark.parametrize("over", [NOTHING, ROOT / "compose" / "jaeger.metrics.yaml"], ids=["plain", "metrics"])
@pytest.mark.parametrize("name", ["jaeger.yaml", "jaeger.opensearch.yaml"])
def test_jaeger_accepts_its_configuration(name: str, over: Path):
    command = [str(jaeger_binary()), "validate", f"--config={ROOT / 'compose' / name}", f"--config={over}"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_our_processor_accepts_its_configuration():
    result = CliRunner().invoke(main, ["validate", "--config", str(ROOT / "compose" / "processor.yaml")])
    assert result.exit_code == 0, result.output


def test_our_processor_accepts_it_with_logs_sampled_too():
    overlay = YAML().load(ROOT / "compose" / "compose.logs.yaml")  # Compose has tags of its own, such as !override
    command = ["validate", "--config", str(ROOT / "compose" / "processor.yaml")]
    result = CliRunner().invoke(main, command, env=overlay["services"]["processor"]["environment"])
    assert (result.exit_code, "warning" in result.output) == (0, False), result.output


def test_the_stacks_rules_are_the_built_in_ones():
    built_in = ROOT / "processor" / "src" / "milvus_otel_processor" / "config" / "sampling.yaml"
    yaml = YAML(typ="safe")
    assert yaml.load(ROOT / "compose" / "sampling.yaml") == yaml.load(built_in)


DOCUMENTED = {
    # https://milvus.io/docs/configure_trace.md and https://milvus.io/docs/configure_access_logs.md, versions 2.5 and 2.6
    "trace": {"exporter", "sampleFraction", "otlp", "initTimeoutSeconds"},
    "trace.otlp": {"endpoint", "method", "secure"},
    # https://milvus.io/docs/configure_log.md, the same versions
    "log": {"format", "file"},
    "log.file": {"rootPath", "maxSize", "maxAge", "maxBackups"},
    "proxy": {"accessLog"},
    "proxy.accessLog": {"enable", "localPath", "filename", "cacheSize", "maxSize", "maxBackups", "formatters"},
    # `upsert` is not in the documents, but in the configuration that Milvus 2.5.24 and 2.6.16 come with.
    "proxy.accessLog.formatters": {"base", "query", "search", "upsert"},
    **{f"proxy.accessLog.formatters.{name}": {"format"} for name in ("base", "query", "search", "upsert")},
}


def test_milvus_settings_are_keys_that_its_documents_have():
    user = YAML(typ="safe").load(ROOT / "compose" / "milvus" / "user.yaml")
    assert set(user) == {"trace", "proxy", "log"}
    for path, keys in DOCUMENTED.items():
        value = user
        for key in path.split("."):
            value = value[key]
        assert set(value) == keys, path
