"""The report says what came in, what became of it, and why, in any terminal and in none."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from milvus_otel_processor.demo.dataset import Progress
from milvus_otel_processor.demo.report import Applications, Outcome, show
from milvus_otel_processor.demo.sink import Forwarded
from milvus_otel_processor.demo.steps import step
from milvus_otel_processor.requests.windows import Window
from milvus_otel_processor.telemetry.counters import Amount, Snapshot
from rich.console import Console

from tests.demo.spans import failed_plain_search, kept_span, search_trace
from tests.support.clock import Clock
from tests.support.request_records import Observed, record, series, times

SNAPSHOT = Snapshot(
    received_spans=1000,
    decisions={
        ("sampled", "slow"): Amount(3, 50),
        ("sampled", "one-in-ten"): Amount(10, 100),
        ("not_sampled", ""): Amount(90, 400),
        ("dropped", "milvus-heartbeats"): Amount(400, 420),
    },
    late_spans=Counter({"not_sampled": 20}),
    waiting_traces=5,
    waiting_spans=10,
    enriched_spans=Counter({"client": 500, "access_log": 1070, "same_trace": 3}),
    enriched_requests=Counter({"client": 45, "access_log": 107, "no_collection": 2}),
)
APPLICATIONS = Applications(Progress("done", 1181, 4), Progress("done", 101, 1))
NOTHING_DONE = Applications(Progress("done", 0, 0), Progress("done", 0, 0))
OUTCOME = Outcome(SNAPSHOT, [failed_plain_search(), search_trace()], APPLICATIONS)


def shown(outcome: Outcome = OUTCOME, width: int = 80, **options: Any) -> str:
    file = io.StringIO()
    show(outcome, Console(file=file, width=width, **options))
    return file.getvalue()


def rows(text: str, head: str = "decision") -> list[list[str]]:
    table = text.split(f"\n{head}  ", 1)[1].split("\n\n", maxsplit=1)[0].splitlines()[1:]
    return [[cell.strip() for cell in line.split("   ") if cell.strip()] for line in table]


def test_each_decision_is_told_with_its_policy_and_all_of_them_add_up() -> None:
    assert rows(shown()) == [
        ["dropped", "milvus-heartbeats", "400", "420"],
        ["not sampled", "(no policy sampled it)", "90", "400"],
        ["sampled", "one-in-ten", "10", "100"],
        ["sampled", "slow", "3", "50"],
        ["not sampled", "(late: as their trace)", "20"],
        ["waiting", "5", "10"],
        ["in", "508", "1,000"],
    ]


def test_the_headline_says_how_many_traces_were_kept() -> None:
    text = shown()
    assert "Two applications made 1,282 calls, 5 of them failed. 13 of 503 traces were kept." in text
    assert "One kept trace: search products" in text


def test_the_words_of_the_table_are_explained() -> None:
    text = " ".join(shown(width=200).split())
    assert "A call of an application makes a trace, with all that Milvus does for it." in text
    assert "Late spans arrived after the decision about their trace, and followed it" in text
    assert "Late spans" not in shown(replace(OUTCOME, snapshot=replace(SNAPSHOT, late_spans=Counter({}))))


def test_the_slowest_trace_is_shown_with_its_longest_spans() -> None:
    slow = search_trace(policy="slow")
    many = [kept_span(f"step {number}", slow[0], end=number * 1000) for number in range(40)]
    text = shown(replace(OUTCOME, traces=[*OUTCOME.traces, [*slow, *many]])).split("The slowest trace: ")[1]
    lines = text.split("\n\n")[0].splitlines()
    assert lines[0] == "search products (10.00 ms, 43 spans, kept by slow)"
    assert len(lines) == 2 + 12 + 1
    assert lines[-1].strip() == "and 31 shorter spans"
    assert "The slowest trace" not in shown()


def test_the_coverage_is_told_by_source() -> None:
    assert rows(shown(), "told by") == [
        ["client", "45", "500", "the spans of an instrumented client"],
        ["access log", "107", "1,070", "Milvus' access log, whatever the client is"],
        ["same trace", "3", "spans apart from their request, in its trace"],
        ["no collection", "2", "requests that have none, such as Connect"],
        ["unknown", "0"],
        ["Known for 152 of 152 requests (100%)."],
    ]


def test_what_was_not_known_is_told_and_not_rounded_away() -> None:
    requests = {"client": 999, "access_log": 1000, "channel": 3, "no_collection": 50, "unknown": 1, "tenants": 7}
    text = shown(replace(OUTCOME, snapshot=replace(SNAPSHOT, enriched_requests=Counter(requests))))
    assert ["unknown", "1"] in rows(text, "told by")
    assert ["tenants", "7"] in rows(text, "told by")
    assert "Known for 2,009 of 2,010 requests (99%)." in text


def test_where_no_request_has_a_collection_there_is_no_share() -> None:
    text = shown(replace(OUTCOME, snapshot=replace(SNAPSHOT, enriched_requests=Counter({"no_collection": 1}))))
    assert "Known for 0 of 0 requests.\n" in text


def test_a_failed_search_of_the_plain_client_is_shown_with_what_milvus_wrote_of_it() -> None:
    text = shown().split("One of plain pymilvus: ")[1].splitlines()
    assert text[0] == "MilvusService/Search (10.00 ms, 2 spans, kept by errors)"
    assert text[2].startswith("standalone MilvusService/Search (error)")
    assert text[2].rstrip().endswith("reviews")
    assert text[4:] == [
        "Its span came as OK; by Milvus' access log it is error 100:",
        "collection not found[database=default][collection=reviews]",
    ]


def test_where_no_failure_of_a_plain_client_was_kept_none_is_shown() -> None:
    assert "plain pymilvus" not in shown(replace(OUTCOME, traces=[search_trace(), search_trace(is_error=True)]))


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_no_line_of_the_report_is_wider_than_the_terminal(width: int) -> None:
    assert max(map(len, shown(width=width).splitlines())) <= width


@pytest.mark.parametrize("options", [{}, {"force_terminal": True, "no_color": True}])
def test_without_a_terminal_or_with_no_color_there_is_no_colour(options: dict[str, Any]) -> None:
    assert "\x1b[3" not in shown(OUTCOME, **options)


def test_a_run_of_which_nothing_came_still_has_a_report() -> None:
    text = shown(Outcome(Snapshot(), [], NOTHING_DONE))
    assert "0 of 0 traces were kept" in text
    assert rows(text) == [["in", "0", "0"]]


def test_what_was_refused_or_lost_is_told() -> None:
    snapshot = Snapshot(
        received_spans=10,
        refused_spans=Counter({"invalid_trace_id": 3}),
        lost_spans=Counter({"retries_exhausted": 2}),
        decisions={},
    )
    text = shown(Outcome(snapshot, [], NOTHING_DONE, not_forwarded=4, forwarded=Forwarded("127.0.0.1:4317", 1, 1234)))
    assert "Spans refused: invalid trace id 3." in text
    assert "Kept spans that were lost: retries exhausted 2." in text
    assert "Requests that --export did not take: 4." in text
    assert "Sent on to 127.0.0.1:4317: 1 trace, 1,234 spans.\n" in text
    assert "Sent on" not in shown()


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


def counted() -> Window:
    clock = Clock()
    windows = Observed(clock)
    for index in range(200):
        windows.observe(record(series("products", "Search"), 0.005, times(core=0.004), kept=index < 20))
        windows.observe(record(series("products", "Insert"), 0.25, times(write=0.2), kept=index < 3))
    windows.observe(record(series("reviews", "Search", "100"), 0.01, kept=True))
    clock.advance(40)
    return windows.over(60)


def test_it_ends_with_all_requests_by_collection_and_says_that_what_is_kept_is_a_sample() -> None:
    text = shown(replace(OUTCOME, requests=counted()), width=140)
    end = text[text.index("All requests") :]
    assert "also those whose traces are not kept: 401, of which 1 failed and 24 are in kept traces." in end
    assert [line.split()[:3] for line in end.splitlines()[2:4]] == [["products", "400", "0"], ["reviews", "1", "1"]]
    assert "products: Most of the time was the write" in end
    assert "Kept traces are a sample" in end


def test_where_requests_are_not_counted_there_is_no_table_of_them() -> None:
    assert "All requests" not in shown()
