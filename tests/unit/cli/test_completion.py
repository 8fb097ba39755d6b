"""Completion of `--policy`, as a shell asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click.shell_completion import ShellComplete
from milvus_otel_processor.cli import main

if TYPE_CHECKING:
    from pathlib import Path

RULES = """
policies:
  - {name: slow.search, type: latency, latency: {threshold_ms: 500}}
  - name: both
    type: and
    and: {and_sub_policy: [{name: inner, type: status_code, status_code: {status_codes: [ERROR]}}]}
  - {name: all, type: always_sample}
"""


def completed(words: list[str], incomplete: str) -> list[str]:
    shell = ShellComplete(main, {}, "milvus-otel", "_MILVUS_OTEL_COMPLETE")
    return [item.value for item in shell.get_completions(words, incomplete)]


def test_without_a_file_the_policies_are_those_of_the_built_in_rules() -> None:
    assert completed(["replay", "--policy"], "slow.") == ["slow.threshold_ms=", "slow.upper_threshold_ms="]


def test_the_policies_are_those_of_the_file_that_was_named_before(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    found = completed(["explain", "--config", str(rules), "--policy"], "")
    assert found[:2] == ["slow.search.threshold_ms=", "slow.search.upper_threshold_ms="]
    assert "inner.status_codes=" in found
    assert not any(one.startswith("all.") for one in found)  # it has nothing that could be set


def test_a_file_that_cannot_be_read_completes_nothing(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("policies: [")
    for path in (broken, tmp_path / "none.yaml"):
        assert completed(["test", "--config", str(path), "--policy"], "") == []


def test_what_is_behind_the_equals_sign_is_the_users_own() -> None:
    assert completed(["replay", "--policy"], "slow.threshold_ms=5") == []
