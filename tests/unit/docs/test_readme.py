"""What the README shows is true: its examples load, and its table of policies is complete."""

import re
from pathlib import Path
from typing import Any, get_args

import pytest
from milvus_otel_processor.config import load_config
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


def test_every_page_that_is_linked_is_there() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", PAGE)
    assert [link for link in links if not (ROOT / link).exists()] == []
