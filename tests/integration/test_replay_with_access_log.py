"""Recorded traffic with the access log of the same time: rules about collections and errors, tried on what really happened."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result
from milvus_otel_processor.cli import main

from tests.support.recorded_enrichment import FOLDER, lines, records

if TYPE_CHECKING:
    from pathlib import Path

RECORDING = FOLDER / "traces.binpb"
RULES = """processors.tail_sampling={decision_wait: 10s, policies: [
  {name: errors, type: milvus_error, milvus_error: {codes: [100]}},
  {name: articles, type: collection, collection: {names: ["art*"], database: default}},
  {name: others, type: collection, collection: {names: ["*"]}},
]}"""


@pytest.fixture
def access_log(tmp_path: Path) -> Path:
    file = tmp_path / "access.log"
    file.write_text("".join(f"{line}\n" for line in lines()), encoding="utf-8")
    return file


def replay(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["replay", str(RECORDING), "--set", RULES, "--format", "json", *arguments])


def kept(result: Result) -> dict[str, int]:
    assert result.exit_code == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return {row["policy"]: row["traces"] for row in document["policies"] if row["policy"]}


def traces_on(collections: set[str]) -> set[str]:
    return {record["trace_id"] for record in records() if record["collection"] in collections}


def test_rules_about_collections_and_errors_match_what_the_log_says(access_log: Path) -> None:
    failed = {record["trace_id"] for record in records() if record["code"] == "100"}
    articles = traces_on({"articles"}) - failed
    others = traces_on({record["collection"] for record in records()} - {"Unknown"}) - failed - articles
    assert min(len(failed), len(articles), len(others)) > 0
    assert kept(replay("--access-log", str(access_log))) == {
        "errors": len(failed),
        "articles": len(articles),
        "others": len(others),
    }


def test_without_the_log_no_span_of_milvus_says_it() -> None:
    assert kept(replay()) == {"errors": 0, "articles": 0, "others": 0}


def test_lines_of_another_format_are_counted(access_log: Path) -> None:
    access_log.write_text("no line of ours\n" + access_log.read_text())
    result = replay("--access-log", str(access_log))
    assert json.loads(result.stdout)["access_log_lines"] == {"foreign": 1, "received": len(lines())}


@pytest.mark.parametrize("content", ["", "no line of ours\n"], ids=["empty", "another format"])
def test_a_log_without_any_line_of_ours_is_warned_of(access_log: Path, content: str) -> None:
    access_log.write_text(content)
    result = replay("--access-log", str(access_log))
    said = (
        f"warning: no whole line of Milvus' access log in {access_log}: collections and errors are not known from it\n"
    )
    assert (result.exit_code, result.stderr) == (0, said)


def test_a_log_that_cannot_be_read_is_named(access_log: Path) -> None:
    result = replay("--access-log", f"{access_log}.1")
    assert (result.exit_code, result.stderr) == (1, f"{access_log}.1: cannot be read: No such file or directory\n")


def test_a_log_that_nobody_reads_is_refused(access_log: Path) -> None:
    without = "service.pipelines.traces.processors=[tail_sampling]"
    result = replay("--access-log", str(access_log), "--set", without)
    assert result.exit_code == 1
    assert "put the processor milvus with the source access_log into the pipeline" in result.stderr
