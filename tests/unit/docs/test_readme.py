"""What the README shows is true: its examples load, and its table of policies is complete."""

import re
from pathlib import Path
from typing import Any, get_args

import pytest
from click.testing import CliRunner
from milvus_otel_processor.cli import main
from milvus_otel_processor.config import ConfigError, load_config
from milvus_otel_processor.sampling.policies import Policy
from ruamel.yaml import YAML

from tests.support.harness import ALWAYS, sampling

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
ROWS = re.findall(r"^\| (`[\w`, :]+`) \| [^|]+ \| [^|]+ \| `(.+)` \|$", PAGE, re.MULTILINE)


def read(text: str) -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe", pure=True).load(text)
    return found


def example(text: str) -> dict[str, Any]:
    """A policy from its example: whole in braces, or its block alone."""
    policy = read(text)
    return {"name": "example", **({} if "type" in policy else {"type": next(iter(policy))}), **policy}


@pytest.mark.parametrize(("types", "text"), ROWS, ids=[types for types, _ in ROWS])
def test_every_example_in_the_table_loads(types: str, text: str) -> None:
    policy = example(text)
    assert f"`{policy['type']}`" in types or policy["mode"] == "shadow"
    assert [note for note in sampling(policy, ALWAYS).notes() if note.startswith("policies[0]")] == []


def test_every_policy_is_in_the_table() -> None:
    shown = {name for types, _ in ROWS for name in re.findall(r"`(\w+)`", types)}
    known = {model.model_fields["type"].annotation.__args__[0] for model in get_args(get_args(Policy)[0])}
    assert shown == known


@pytest.mark.parametrize("text", [block for block in BLOCKS if "policies:" in block], ids=lambda text: text[:20])
def test_every_set_of_rules_loads(text: str) -> None:
    assert sampling(*read(text)["policies"]).notes() == []


def test_the_configuration_loads(tmp_path: Path) -> None:
    (text,) = (block for block in BLOCKS if "receivers:" in block)
    (tmp_path / "processor.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "sampling.yaml").write_text("policies: [{name: all, type: always_sample}]", encoding="utf-8")
    assert load_config(tmp_path / "processor.yaml", environ={}).warnings == ()


WRONG = """\
receivers:
  otlp: {protocols: {grpc: {endpoint: 0.0.0.0:4317}}}
processors:
  tail_sampling:
    policies:
      - name: slow
        type: latncy
        latency: {threshold_ms: 1000}
      - {name: most, type: probabilistic, probabilistic: {sampling_percentage: 500}}
exporters:
  otlp: {endpoint: "jaeger:4317", tls: {insecure: true}}
service:
  pipelines: {traces: {receivers: [otlp], processors: [tail_sampling], exporters: [otlp]}}
"""


def shown(text: str) -> str:
    """The block that holds this text, on one line."""
    blocks = re.findall(r"^```\w*\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return next(" ".join(block.split()) for block in blocks if text in block)


def test_the_messages_about_a_wrong_file_are_those_of_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("processor.yaml").write_text(WRONG, encoding="utf-8")
    wrong = CliRunner().invoke(main, ["validate", "--config", "processor.yaml"])
    assert wrong.exit_code != 0
    assert wrong.output.strip() == shown("latncy")
    with pytest.raises(ConfigError) as raised:  # what `run` says
        load_config(Path("processor.yaml"), environ={})
    assert str(raised.value) == shown("latncy").replace("processor.yaml:7:15: ", "processor.yaml:7: ")
    Path("processor.yaml").write_text(WRONG.replace("latncy", "latency"), encoding="utf-8")
    doubtful = CliRunner().invoke(main, ["validate", "--config", "processor.yaml"])
    assert doubtful.exit_code == 0
    assert doubtful.output.splitlines()[0] == shown("percentage: 500")


def test_every_page_that_is_linked_is_there() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", PAGE)
    assert [link for link in links if not (ROOT / link).exists()] == []
