"""`milvus-otel validate` says what is wrong to people, to programs and to GitHub."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from click.testing import CliRunner, Result
from milvus_otel_processor.cli import main

if TYPE_CHECKING:
    from pathlib import Path

WRONG = """\
policies:
  - {name: slow, type: latency, latency: {threshold_ms: soon}}
  - {name: "50%, all", type: probabilistic, probabilistic: {sampling_percentage: ten}}
"""
DOUBTFUL = "policies:\n  - {name: all, type: probabilistic, probabilistic: {sampling_percentage: 500}}\n"


def validate(folder: Path, text: str, *arguments: str) -> Result:
    file = folder / "sampling.yaml"
    file.write_text(text)
    return CliRunner().invoke(main, ["validate", "--config", str(file), *arguments])


def test_people_get_a_line_for_each_problem(tmp_path: Path) -> None:
    wrong = validate(tmp_path, WRONG)
    assert (wrong.exit_code, wrong.stdout, len(wrong.stderr.splitlines())) == (1, "", 2)
    doubtful = validate(tmp_path, DOUBTFUL)
    assert (doubtful.exit_code, doubtful.stdout) == (0, f"{tmp_path}/sampling.yaml: valid\n")
    assert doubtful.stderr.startswith(f"warning: {tmp_path}/sampling.yaml:2:54: processors.tail_sampling.policies[0]")


def test_programs_get_json_with_line_and_column(tmp_path: Path) -> None:
    result = validate(tmp_path, WRONG, "--format", "json")
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert document["valid"] is False
    first, second = document["problems"]
    assert (first["severity"], first["file"], first["line"]) == ("error", f"{tmp_path}/sampling.yaml", 2)
    assert first["column"] == WRONG.splitlines()[1].index("soon") + 1
    assert second["column"] == WRONG.splitlines()[2].index("ten}") + 1
    assert first["path"] == "processors.tail_sampling.policies[0].latency.threshold_ms"
    doubtful = json.loads(validate(tmp_path, DOUBTFUL, "--format", "json").stdout)
    assert doubtful["valid"] is True
    assert [problem["severity"] for problem in doubtful["problems"]] == ["warning"]


def test_github_gets_annotations(tmp_path: Path) -> None:
    result = validate(tmp_path, WRONG, "--format", "github")
    assert result.exit_code == 1
    first = result.stdout.splitlines()[0]
    column = WRONG.splitlines()[1].index("soon") + 1
    assert first.startswith(f"::error file={tmp_path}/sampling.yaml,line=2,col={column}::processors.tail_sampling.")
    warning = validate(tmp_path, DOUBTFUL, "--format", "github")
    assert warning.exit_code == 0
    assert warning.stdout.startswith(f"::warning file={tmp_path}/sampling.yaml,line=2,")
