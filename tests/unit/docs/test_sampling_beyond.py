"""What docs/sampling-beyond.md shows is true: its examples load, its table is complete, its figures are the program's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest
from click.testing import CliRunner
from milvus_otel_processor.cli import main
from milvus_otel_processor.sampling.policies import Policy
from milvus_otel_processor.sampling.settings import TailSamplingSettings
from ruamel.yaml import YAML

from tests.support.recorded import FOLDER

PAGE = (Path(__file__).parents[3] / "docs" / "sampling-beyond.md").read_text(encoding="utf-8")
EXAMPLES = [
    example
    for text in re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    if "policies" in (example := YAML(typ="safe", pure=True).load(text))
]
OURS = {"collection", "dynamic", "milvus_error", "milvus_latency", "milvus_result", "span_name"}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["policies"][0]["name"])
def test_every_example_loads(example: dict[str, Any]) -> None:
    assert TailSamplingSettings.model_validate(example).policies


def test_every_type_of_ours_is_in_the_table_and_has_an_example() -> None:
    known = {model.model_fields["type"].annotation.__args__[0] for model in get_args(get_args(Policy)[0])}
    assert known >= OURS
    assert set(re.findall(r"^\| `type: (\w+)` \|", PAGE, re.MULTILINE)) == OURS
    assert {policy["type"] for example in EXAMPLES for policy in example["policies"]} >= OURS


def test_every_setting_in_the_table_is_one() -> None:
    for type_, settings in re.findall(r"^\| `type: (\w+)` \|[^|]*\| ([^|]*) \|$", PAGE, re.MULTILINE):
        model = next(
            model
            for model in get_args(get_args(Policy)[0])
            if get_args(model.model_fields["type"].annotation) == (type_,)
        )
        block = model.model_fields[type_].annotation
        assert set(re.findall(r"`(\w+)`", settings)) == set(block.model_fields), type_
    keys = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
    assert keys
    assert keys <= set(TailSamplingSettings.model_fields)


def test_the_table_of_a_replay_is_what_the_program_writes() -> None:
    result = CliRunner().invoke(main, ["replay", str(FOLDER / "traces.binpb")])
    shown = re.search(r"^\$ milvus-otel replay [^\n]*\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert shown is not None
    assert comparable(shown[1]) == comparable(result.stdout.rstrip())


def comparable(text: str) -> list[list[str]]:
    """The words of each line; what a policy took differs from run to run."""
    text = re.sub("─+", "─", re.sub(r"[\d.,]+ ms", "… ms", text))
    return [line.split() for line in text.splitlines() if line.strip()]
