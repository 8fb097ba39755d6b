from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from milvus_otel_processor.config import Config, ConfigError, load_config

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class ConfigFolder:
    """A folder of configuration files, and what loading `config.yaml` in it gives."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, text: str) -> None:
        (self.path / name).write_text(text, encoding="utf-8", newline="")

    def load(self, overrides: Sequence[str] = (), **environ: str) -> Config:
        return load_config(self.path / "config.yaml", overrides=overrides, environ=environ).config

    def warnings(self, overrides: Sequence[str] = (), **environ: str) -> list[str]:
        loaded = load_config(self.path / "config.yaml", overrides=overrides, environ=environ)
        return [self._short(str(warning)) for warning in loaded.warnings]

    def problems(self, overrides: Sequence[str] = (), **environ: str) -> list[str]:
        with pytest.raises(ConfigError) as raised:
            self.load(overrides, **environ)
        return [self._short(str(problem)) for problem in raised.value.problems]

    def _short(self, text: str) -> str:
        return text.replace(f"{self.path}/", "")


@pytest.fixture
def folder(tmp_path: Path) -> ConfigFolder:
    """A folder with the smallest configuration that has everything, and its rules in a second file."""
    folder = ConfigFolder(tmp_path)
    folder.write("config.yaml", CONFIG)
    folder.write("sampling.yaml", SAMPLING)
    return folder


CONFIG = """\
receivers:
  otlp: {protocols: {grpc: {endpoint: 0.0.0.0:4317}}}
processors:
  milvus: {uri: "http://milvus:19530"}
  tail_sampling: ${file:sampling.yaml}
exporters:
  otlp:
    endpoint: jaeger:4317
    tls: {insecure: true}
service:
  pipelines:
    traces:
      receivers: [otlp]
      processors: [milvus, tail_sampling]
      exporters: [otlp]
  substitution_in_rules: true
"""

SAMPLING = """\
decision_wait: 10s
policies:
  - name: errors
    type: status_code
    status_code: {status_codes: [ERROR]}
  - name: slow
    type: latency
    latency: {threshold_ms: 1000}
"""
