"""Each recipe of docs/cookbook.md is run: its rules load without a warning, and do what the tests below them expect."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from milvus_otel_processor.cli import main
from ruamel.yaml import YAML

from tests.support.recorded import FOLDER

PAGE = (Path(__file__).parents[3] / "docs" / "cookbook.md").read_text(encoding="utf-8")


def recipes() -> list[tuple[str, str, str]]:
    """The title of each recipe, its rules, and what is expected of them, which may be nothing."""
    found = []
    for section in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]:
        title = section.partition("\n")[0]
        blocks = re.findall(r"^```yaml\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
        for index, block in enumerate(blocks):
            if block.startswith("policies:"):
                following = blocks[index + 1] if index + 1 < len(blocks) else ""
                found.append((f"{title} {index}", block, following if following.startswith("tests:") else ""))
    return found


RECIPES = recipes()


def test_every_question_is_answered() -> None:
    titles = " ".join(title for title, _, _ in RECIPES)
    for question in ("one collection", "Slow Milvus", "Empty", "exists", "One user", "share", "budget", "OTTL"):
        assert question in titles
    assert sum(bool(tests) for _, _, tests in RECIPES) >= 8


@pytest.mark.parametrize(("rules", "tests"), [recipe[1:] for recipe in RECIPES], ids=[one[0] for one in RECIPES])
def test_a_recipe_does_what_it_says(rules: str, tests: str, tmp_path: Path) -> None:
    file, expectations = tmp_path / "sampling.yaml", tmp_path / "sampling.test.yaml"
    file.write_text(rules, encoding="utf-8")
    valid = CliRunner().invoke(main, ["validate", "--config", str(file)])
    assert valid.exit_code == 0
    assert not valid.stderr or "enduser.id is not written" in valid.stderr  # the setting beside it writes it
    if tests:
        expectations.write_text(f"rules: sampling.yaml\n{tests}", encoding="utf-8")
        result = CliRunner().invoke(main, ["test", str(expectations)])
        assert result.exit_code == 0, result.output
    replayed = CliRunner().invoke(
        main, ["replay", str(FOLDER / "traces.binpb"), "--config", str(file), "--format", "json"]
    )
    assert replayed.exit_code == 0, replayed.stderr
    document: dict[str, Any] = json.loads(replayed.stdout)
    assert document["received"]["traces"] > 1000


def test_the_setting_beside_the_rules_is_one(tmp_path: Path) -> None:
    (block,) = re.findall(r"^```yaml\n(# in the configuration.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    milvus = YAML(typ="safe", pure=True).load(block)["processors"]["milvus"]
    file = tmp_path / "sampling.yaml"
    file.write_text(next(rules for title, rules, _ in RECIPES if title.startswith("One user")), encoding="utf-8")
    override = f"processors.milvus.attributes={json.dumps(milvus['attributes'])}"
    result = CliRunner().invoke(main, ["validate", "--config", str(file), "--set", override])
    assert (result.exit_code, result.stderr) == (0, "")


def test_the_policies_in_the_table_are_ones(tmp_path: Path) -> None:
    rows = re.findall(r"^\| `[^|]+ \| `((\w+): \{.*?\})`", PAGE, re.MULTILINE)
    assert len(rows) == 5
    for block, type_ in rows:
        file = tmp_path / "sampling.yaml"
        file.write_text(f"policies: [{{name: p, type: {type_}, {block}}}]", encoding="utf-8")
        result = CliRunner().invoke(main, ["validate", "--config", str(file)])
        assert (result.exit_code, result.stderr) == (0, ""), block
