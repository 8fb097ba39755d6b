"""A trace is shown as a tree of its spans with bars, whatever is odd about it."""

from __future__ import annotations

import io
import random
from typing import TYPE_CHECKING

import pytest
from milvus_otel_processor.demo.tree import in_tree_order
from milvus_otel_processor.demo.waterfall import (
    bar,
    duration,
    failed_and_named_by,
    most_telling,
    short_name,
    summary,
    waterfall,
)
from rich.console import Console

from tests.demo.spans import MILLISECOND, failed_plain_search, kept_span, search_trace

if TYPE_CHECKING:
    from milvus_otel_processor.replay.kept_span import KeptSpan


def rendered(trace: list[KeptSpan], width: int = 80, encoding: str = "utf-8") -> list[str]:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=file, width=width)
    console.print(waterfall(trace, console))
    file.seek(0)
    return [line.rstrip() for line in file.read().splitlines()]


def test_a_trace_is_one_line_a_span_with_its_bar_where_its_time_was() -> None:
    assert rendered(search_trace(), width=70) == [
        "service    span                  time              duration collection",
        "shop       search products       ████████████████  10.00 ms products",
        "standalone  MilvusService/Search    ███████████     7.00 ms products",
        "segcore      SegCoreSearch             ████         2.00 ms",
    ]


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    trace = search_trace()
    trace.append(kept_span("a name " * 40, trace[2], attributes={"db.collection.name": "c" * 255}))
    lines = rendered(trace, width)
    assert max(map(len, lines)) <= width
    assert len(lines) == 1 + len(trace)


def test_a_terminal_without_unicode_gets_plain_bars() -> None:
    lines = rendered(search_trace(), encoding="ascii")
    assert "#" in lines[1]
    assert all(line.isascii() for line in lines)


def test_an_error_is_told_in_words_too() -> None:
    assert "search products (error)" in rendered(search_trace(is_error=True))[1]


@pytest.mark.parametrize("seed", range(5))
def test_parents_come_before_children_in_whatever_order_spans_came(seed: int) -> None:
    root = kept_span("root")
    early = kept_span("early", root, start=1)
    late = kept_span("late", root, start=2)
    below = kept_span("below early", early, start=3)
    trace = [root, early, late, below]
    random.Random(seed).shuffle(trace)
    assert [(span.name, depth) for span, depth in in_tree_order(trace)] == [
        ("root", 0),
        ("early", 1),
        ("below early", 2),
        ("late", 1),
    ]


def test_a_span_whose_parent_is_missing_counts_as_a_root() -> None:
    orphan = kept_span("orphan", parent_id="f" * 16)
    assert [(span.name, depth) for span, depth in in_tree_order([orphan])] == [("orphan", 0)]


def test_spans_that_are_each_others_parents_are_shown_once() -> None:
    one = kept_span("one", span_id="1" * 16, parent_id="2" * 16)
    two = kept_span("two", one, span_id="2" * 16)
    itself = kept_span("itself", span_id="3" * 16, parent_id="3" * 16)
    assert sorted(span.name for span, _ in in_tree_order([one, two, itself])) == ["itself", "one", "two"]


def test_a_doubled_span_is_shown_as_often_as_it_came() -> None:
    root = kept_span("root")
    child = kept_span("child", root)
    assert [span.name for span, _ in in_tree_order([root, child, kept_span("child", root, span_id=child.span_id)])] == [
        "root",
        "child",
        "child",
    ]


@pytest.mark.parametrize(
    ("start", "end", "whole", "expected"),
    [
        (0, 100, 100, "##########"),
        (0, 0, 100, "#"),
        (50, 100, 100, "     #####"),
        (100, 100, 100, "         #"),
        (0, 0, 0, "#"),
        (99, 100, 100, "         #"),
        (0, 14, 100, "#"),
    ],
)
def test_a_bar_stays_within_its_columns_and_is_never_empty(start: int, end: int, whole: int, expected: str) -> None:
    assert bar(start, end, whole, 10, "#") == expected


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("milvus.proto.milvus.MilvusService/Search", "MilvusService/Search"),
        ("/milvus.proto.milvus.MilvusService/Search", "MilvusService/Search"),
        ("search products", "search products"),
        ("SearchTask", "SearchTask"),
        ("", ""),
    ],
)
def test_a_name_loses_the_package_of_its_service(name: str, short: str) -> None:
    assert short_name(name) == short


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [(0, "0 µs"), (999_999, "1000 µs"), (1_000_000, "1.00 ms"), (2_500_000_000, "2.50 s")],
)
def test_a_duration_has_the_unit_that_fits(nanoseconds: int, text: str) -> None:
    assert duration(nanoseconds) == text


def test_the_summary_says_why_the_trace_was_kept() -> None:
    assert summary(search_trace()).plain == "search products (10.00 ms, 3 spans, kept by one-in-ten)"


def test_of_nothing_nothing_is_telling() -> None:
    assert most_telling([]) is None


def test_a_successful_search_that_reached_the_core_tells_most() -> None:
    complete, failed = search_trace(), search_trace(is_error=True)
    without_core = search_trace()[:2]
    insert = [kept_span("insert products", service=service) for service in ("a", "b", "c", "d")]
    assert most_telling([failed, insert, without_core, complete]) is complete


def test_where_no_search_was_kept_another_trace_is_shown() -> None:
    failed = search_trace(is_error=True)
    heartbeat = [kept_span("Operate")]
    assert most_telling([heartbeat, failed]) is failed


def test_of_several_searches_a_usual_one_tells_most() -> None:
    usual, odd = [search_trace(), search_trace()], search_trace()
    odd.append(kept_span("once", odd[0], end=MILLISECOND))
    assert most_telling([odd, *usual]) in usual


def test_a_failure_is_found_by_the_source_that_named_its_collection() -> None:
    plain = failed_plain_search()
    traces = [search_trace(), search_trace(is_error=True), plain, failed_plain_search()]
    assert failed_and_named_by("access_log", traces) is plain
    assert failed_and_named_by("channel", traces) is None
