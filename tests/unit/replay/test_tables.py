"""A replay's tables fit into a narrow terminal, and ids in them can be copied."""

from __future__ import annotations

import io

import pytest
from milvus_otel_processor.config import load_config
from milvus_otel_processor.replay.counted import CountedRules
from milvus_otel_processor.replay.left_out import LeftOut
from milvus_otel_processor.replay.recording import read
from milvus_otel_processor.replay.report import Report
from milvus_otel_processor.replay.runner import Run
from milvus_otel_processor.replay.tables import bytes_words, print_report
from rich.console import Console

from tests.support.recorded import FOLDER


@pytest.fixture(scope="module")
def report() -> Report:
    config = load_config(None, environ={}).config
    run = Run(config, rules=CountedRules)
    return Report(run.play([read(FOLDER / "traces.binpb")]), config.tail_sampling, LeftOut(), run.rules)


@pytest.mark.parametrize("width", [80, 100, 119, 120, 200])
def test_no_line_is_wider_than_the_terminal_and_no_number_is_cut(report: Report, width: int) -> None:
    out = io.StringIO()
    print_report(report, Console(file=out, width=width, highlight=False, markup=False))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert "…" not in out.getvalue()
    assert report.unmatched()[0][1].examples[0] in out.getvalue()
    header = next(line.split() for line in lines if line.strip().startswith("policy"))
    assert ("type" in header) is (width >= 120)
    assert {"traces", "spans", "votes", "only", "cpu"} <= set(header)


def narrow(report: Report, width: int) -> list[str]:
    out = io.StringIO()
    print_report(report, Console(file=out, width=width, highlight=False, markup=False))
    return out.getvalue().splitlines()


@pytest.mark.parametrize(
    ("width", "left_out"), [(30, "spans, votes, only, cpu"), (40, "spans, votes, only, cpu"), (60, "votes, only, cpu")]
)
def test_in_a_narrow_terminal_each_policy_is_one_line_with_its_name(report: Report, width: int, left_out: str) -> None:
    lines = narrow(report, width)
    assert max(map(len, lines)) <= width
    for row in report.rows:
        begin = (row.policy or "-")[:3]
        assert any(line.strip().startswith(begin) and f" {row.amount.traces:,}" in line for line in lines), row.policy
    assert f"left out, for want of columns: {left_out}" in " ".join(map(str.strip, lines))
    assert not any(line.startswith(("votes:", "only:", "cpu:")) for line in lines)


def test_at_60_columns_names_of_policies_are_whole(report: Report) -> None:
    lines = narrow(report, 60)
    for row in report.rows:
        assert any(line.strip().startswith(f"{row.policy or '-'}  ") for line in lines), row.policy


@pytest.mark.parametrize(
    ("size", "words"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (2_500_000, "2.5 MB"), (7e15, "7,000.0 TB")]
)
def test_bytes_have_the_unit_that_fits(size: float, words: str) -> None:
    assert bytes_words(size) == words
