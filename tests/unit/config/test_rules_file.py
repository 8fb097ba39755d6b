"""A file of rules is trusted less than the main one: it reads no variables and no other files."""

from pathlib import Path

import pytest
from milvus_otel_processor.config import ConfigError, load_config

MAIN = """\
receivers: {{otlp: {{protocols: {{grpc: {{}}}}}}}}
processors: {{tail_sampling: "${{file:rules.yaml}}"}}
exporters: {{otlp: {{endpoint: "a:1", headers: {{x: "${{env:SECRET}}"}}}}}}
service: {{{allowed}pipelines: {{traces: {{receivers: [otlp], processors: [tail_sampling], exporters: [otlp]}}}}}}
"""
RULES = 'policies: [{{name: "{value}", type: always_sample}}]\n'


def load(folder: Path, value: str, allowed: str = "") -> str:
    (folder / "main.yaml").write_text(MAIN.format(allowed=allowed))
    (folder / "rules.yaml").write_text(RULES.format(value=value))
    (folder / "secret").write_text("s3cret\n")
    config = load_config(folder / "main.yaml", environ={"SECRET": "s3cret"}).config
    assert config.tail_sampling is not None
    name: str = config.tail_sampling.policies[0].name or ""
    return name


@pytest.mark.parametrize("value", ["${env:SECRET}", "${SECRET}", "${file:secret}", "a ${env:SECRET}"])
def test_what_it_refers_to_is_not_read_unless_the_main_file_allows_it(tmp_path: Path, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, value)
    (problem,) = caught.value.problems
    assert str(problem).startswith(f"{tmp_path}/rules.yaml:1: ")
    assert "is not replaced in a file of rules" in str(problem)
    assert "s3cret" not in str(problem)
    assert load(tmp_path, value, "substitution_in_rules: true, ").endswith("s3cret")


def test_a_dollar_that_is_escaped_is_one(tmp_path: Path) -> None:
    assert load(tmp_path, "$${env:SECRET}") == "${env:SECRET}"
