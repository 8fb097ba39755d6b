"""The report says what came in, what became of it, and why, in any terminal and in none."""

from __future__ import annotations

import io
from typing import Any

import pytest
from milvus_otel_processor.demo.report import Outcome, show
from milvus_otel_processor.demo.steps import step
from milvus_otel_processor.telemetry import Amount, Snapshot
from rich.console import Console

from tests.demo.spans import search_trace

SNAPSHOT = Snapshot(
    received_spans=1000,
    decisions={
        ("sampled", "slow"): Amount(3, 50),
        ("sampled", "one-in-ten"): Amount(10, 100),
        ("not_sampled", ""): Amount(90, 400),
        ("dropped", "milvus-heartbeats"): Amount(400, 420),
    },
    late_spans={"not_sampled": 20},
    waiting_traces=5,
    waiting_spans=10,
    enriched_spans={"client": 500},
)
OUTCOME = Outcome(SNAPSHOT, [search_trace()], operations=181, failures=4)


def shown(outcome: Outcome = OUTCOME, width: int = 80, **options: Any) -> str:
    file = io.StringIO()
    show(outcome, Console(file=file, width=width, **options))
    return file.getvalue()


def rows(text: str) -> list[list[str]]:
    table = text.split("decision", 1)[1].split("\n\n", maxsplit=1)[0].splitlines()[1:]
    return [[cell.strip() for cell in line.split("   ") if cell.strip()] for line in table]


def test_each_decision_is_told_with_its_policy_and_all_of_them_add_up() -> None:
    assert rows(shown())[:-1] == [
        ["dropped", "milvus-heartbeats", "400", "420"],
        ["not sampled", "(none wanted it)", "90", "400"],
        ["sampled", "one-in-ten", "10", "100"],
        ["sampled", "slow", "3", "50"],
        ["not sampled", "(late, as their trace)", "20"],
        ["waiting", "5", "10"],
        ["in", "508", "1,000"],
    ]


def test_the_headline_says_how_many_traces_were_kept() -> None:
    text = shown()
    assert "The application made 181 calls, 4 of them failed. 13 of 503 traces were kept." in text
    assert "by source: client 500." in text
    assert "One kept trace: search products" in text


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_no_line_of_the_report_is_wider_than_the_terminal(width: int) -> None:
    assert max(map(len, shown(width=width).splitlines())) <= width


@pytest.mark.parametrize("options", [{}, {"force_terminal": True, "no_color": True}])
def test_without_a_terminal_or_with_no_color_there_is_no_colour(options: dict[str, Any]) -> None:
    assert "\x1b[3" not in shown(OUTCOME, **options)


def test_a_run_of_which_nothing_came_still_has_a_report() -> None:
    text = shown(Outcome(Snapshot(), [], operations=0, failures=0))
    assert "0 of 0 traces were kept" in text
    assert rows(text) == [["in", "0", "0"]]


def test_what_was_refused_or_lost_is_told() -> None:
    snapshot = Snapshot(
        received_spans=10, refused_spans={"invalid_trace_id": 3}, lost_spans={"queue_full": 2}, decisions={}
    )
    text = shown(Outcome(snapshot, [], operations=1, failures=0, not_forwarded=4))
    assert "Spans refused: invalid trace id 3." in text
    assert "Kept spans that were lost: queue full 2." in text
    assert "Requests that --export did not take: 4." in text


def test_without_a_terminal_a_step_is_one_line_once_it_is_done() -> None:
    file = io.StringIO()
    moments = iter([10.0, 12.5])
    with step("Milvus [starts]", Console(file=file), clock=lambda: next(moments)) as update:
        assert file.getvalue() == ""
        update("Milvus [is up]")
        assert file.getvalue() == ""
    assert file.getvalue() == "Milvus [is up] (2.5 s)\n"


def test_a_step_that_fails_is_not_told_as_done() -> None:
    file = io.StringIO()
    with pytest.raises(ValueError, match="no"), step("Milvus starts", Console(file=file)):
        raise ValueError("no")
    assert file.getvalue() == ""
