"""What docs/sampling.md shows is true: its examples load, and its lists are complete."""

import re
from pathlib import Path
from typing import Any, get_args

import pytest
from milvus_otel_processor.sampling.ottl.converters import CONVERTERS
from milvus_otel_processor.sampling.policies import Policy
from milvus_otel_processor.sampling.settings import TailSamplingSettings
from ruamel.yaml import YAML

from tests.differential.blocks import HOLDERS, LEAVES
from tests.support.harness import ALWAYS, sampling

PAGE = (Path(__file__).parents[3] / "docs" / "sampling.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
ROWS = re.findall(r"^\| `(\w+)` \| [^|]+ \| [^|]+ \| `(\{.+\})` \|$", PAGE, re.MULTILINE)


def read(text: str) -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe", pure=True).load(text)
    return found


@pytest.mark.parametrize("text", BLOCKS, ids=range(len(BLOCKS)))
def test_every_example_loads_without_a_note(text: str) -> None:
    assert TailSamplingSettings.model_validate(read(text)).notes() == []


@pytest.mark.parametrize(("type_", "example"), ROWS, ids=[type_ for type_, _ in ROWS])
def test_every_example_in_the_table_loads_and_is_of_its_type(type_: str, example: str) -> None:
    policy = read(example)
    assert policy["type"] == type_
    notes = sampling({"name": "example", **policy}, ALWAYS).notes()
    assert [note for note in notes if note.startswith("policies[0]")] == []


def test_every_policy_of_the_collector_is_in_the_table() -> None:
    shown = {type_ for type_, _ in ROWS}
    known = {model.model_fields["type"].annotation.__args__[0] for model in get_args(get_args(Policy)[0])}
    assert {*LEAVES, *HOLDERS} <= shown <= known


def test_every_converter_is_listed() -> None:
    listed = PAGE.partition("- Converters: ")[2].partition(". Times are")[0]
    assert set(re.findall(r"`(\w+)`", listed)) == set(CONVERTERS)
