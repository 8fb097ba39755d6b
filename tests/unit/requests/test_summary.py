"""Rows of the windows: grouped, sorted, filtered, with shares and rates that belong together."""

from typing import Any

import pytest
from milvus_otel_processor.requests.summary import SORTS, Wanted, summary

from tests.support.clock import Clock
from tests.support.request_records import Observed, record, series, times


def told(**asked: Any) -> dict[str, Any]:
    """A minute with searches that wait, one of ten failing, and quick inserts by two services."""
    clock = Clock()
    windows = Observed(clock)
    for index in range(100):
        error = "100" if index % 10 == 0 else ""
        windows.observe(
            record(series("orders", "Search", error), 0.2, times(wait=0.19, core=0.01), kept=bool(error), trace=index)
        )
        windows.observe(record(series("orders", "Insert", service="loader" if index % 2 else "shop"), 0.001))
        windows.observe(record(series("users", "Query"), 0.01 + index / 10_000))
    clock.advance(50)
    return summary(windows.over(1), Wanted(**asked))


def test_a_row_has_all_that_is_asked_about_a_collection() -> None:
    row = told()["rows"][0]
    assert row.pop("hint").startswith("Most of the time was the wait")
    assert row == {
        "database": "default",
        "collection": "orders",
        "operation": "Search",
        "requests": 100,
        "per_second": 2.0,
        "errors": 10,
        "errors_by_type": {"100": 10},
        "p50_ms": pytest.approx(200, rel=0.01),
        "p95_ms": pytest.approx(200, rel=0.01),
        "p99_ms": pytest.approx(200, rel=0.01),
        "mean_ms": 200.0,
        "total_ms": 20_000.0,
        "share": pytest.approx(20 / 21.595, abs=1e-4),
        "stages_ms": dict.fromkeys(told()["stages"], 0.0) | {"wait": 190.0, "core": 10.0},
        "kept": 10,
        "slowest_kept": f"{0:032x}",
    }


def test_the_whole_is_what_its_rows_come_to() -> None:
    found = told()
    for key in ("requests", "errors", "kept", "total_ms"):
        assert found["all"][key] == pytest.approx(sum(row[key] for row in found["rows"]))
    assert sum(row["share"] for row in found["rows"]) == pytest.approx(1, abs=1e-3)
    assert found["all"]["per_second"] == 6.0
    assert found["seconds"] == 50.0
    assert found["relative_error"] == 0.01


@pytest.mark.parametrize(
    ("by", "keys"),
    [
        (("collection",), [("orders",), ("users",)]),
        (("service",), [("shop",), ("loader",)]),
        (("error_type", "collection"), [("", "orders"), ("100", "orders"), ("", "users")]),
        ((), [()]),
    ],
    ids=["collection", "service", "error and collection", "nothing"],
)
def test_requests_are_grouped_by_the_keys_that_are_asked_for(by: tuple[str, ...], keys: list[tuple[str, ...]]) -> None:
    rows = told(by=by)["rows"]
    assert [tuple(row[name] for name in by) for row in rows] == keys
    assert sum(row["requests"] for row in rows) == 300


def test_a_filter_leaves_rows_out_and_shares_stay_those_of_all() -> None:
    found = told(where={"collection": "users"})
    (row,) = found["rows"]
    assert (row["collection"], row["requests"]) == ("users", 100)
    assert row["share"] < 0.1
    assert found["all"]["requests"] == 300
    assert told(where={"collection": "users", "error_type": "100"})["rows"] == []


@pytest.mark.parametrize("sort", SORTS)
def test_rows_are_sorted_by_what_is_asked_for_the_largest_first(sort: str) -> None:
    values = [row[sort] for row in told(sort=sort)["rows"]]
    assert values == sorted(values, reverse=True)


def test_beyond_the_limit_rows_are_counted() -> None:
    found = told(limit=1)
    assert len(found["rows"]) == 1
    assert found["rows_left_out"] == 2


def test_a_window_without_requests_has_no_rows() -> None:
    found = summary(Observed(Clock()).over(1), Wanted())
    assert found["rows"] == []
    assert (found["all"]["requests"], found["all"]["per_second"], found["all"]["p99_ms"]) == (0, 0.0, 0.0)
