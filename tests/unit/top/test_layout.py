"""Which columns `milvus-otel top` leaves out of a narrow terminal: names are the last to give way, since they tell rows apart."""

import pytest
from milvus_otel_processor.columns import cut
from milvus_otel_processor.requests.record import Series
from milvus_otel_processor.requests.summary import USUAL_KEYS, Wanted, summary
from milvus_otel_processor.top.table import table
from rich.cells import cell_len
from rich.console import Console

from tests.support.clock import Clock
from tests.support.request_records import Observed, record, times

NAMES = (
    ("prod_orders_2026", "Search"),
    ("prod_orders_2025", "Search"),
    ("prod_orders_2026", "CreateCollection"),
    ("prod_orders_2026", "CreateIndex"),
)
ALL = "req/s requests errors p50 p95 p99 time kept"


def lines(width: int, databases: tuple[str, ...] = ("default",), sort: str = "total_ms") -> list[str]:
    clock = Clock()
    windows = Observed(clock)
    for database in databases:
        for number, (collection, operation) in enumerate(NAMES):
            for index in range(1000):
                series = Series(database, collection, operation, "", "")
                windows.observe(record(series, 0.1, times(wait=0.09, core=0.01), trace=1000 * number + index))
    clock.advance(60)
    rows = summary(windows.over(1), Wanted(sort=sort))["rows"]
    console = Console(width=width)
    with console.capture() as captured:
        console.print(table(rows, USUAL_KEYS, width, sort))
    return [line.rstrip() for line in captured.get().splitlines()]


@pytest.mark.parametrize(
    ("width", "titles"),
    [
        (160, f"database collection operation {ALL} where it went"),
        (123, f"database collection operation {ALL} where it went"),
        (122, f"collection operation {ALL} where it went"),
        (110, "collection operation req/s requests errors p50 p99 time kept where it went"),
        (100, f"collection operation {ALL}"),
        (80, "collection operation req/s requests errors p50 p99 time"),
        (60, "collection operation errors p99 time"),
        (40, "collecti… operation errors p99 time"),
        (24, "collect… operati… time"),
    ],
)
def test_the_database_goes_first_then_the_stages_then_figures(width: int, titles: str) -> None:
    found = lines(width)
    assert " ".join(found[-5].split()) == titles
    assert found[0].startswith("database")
    assert max(map(cell_len, found)) <= width


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_names_are_whole_from_60_columns_on(width: int) -> None:
    for collection, operation in NAMES:
        assert any(f"{collection}  {operation}" in line for line in lines(width))


def test_a_database_without_a_column_is_said_above() -> None:
    assert lines(80)[0] == "database default"
    assert lines(80, ("default", "b"))[0].startswith("database  collection")


def test_names_are_cut_where_nothing_else_is_left_so_that_both_ends_stay() -> None:
    rows = lines(60, ("default", "tenant_b"))[1:]
    assert [row.split()[:3] for row in rows[:4]] == [
        ["default", "prod_or…s_2025", "Search"],
        ["default", "prod_or…s_2026", "CreateC…ection"],
        ["default", "prod_or…s_2026", "CreateIndex"],
        ["default", "prod_or…s_2026", "Search"],
    ]


def test_the_figure_that_rows_are_sorted_by_stays() -> None:
    assert "p95" in lines(60, sort="p95_ms")[1]
    assert "kept" in lines(40, sort="kept")[1]


@pytest.mark.parametrize(
    ("name", "width", "shown"),
    [
        ("orders", 6, "orders"),
        ("orders", 5, "or…rs"),
        ("orders", 4, "or…s"),
        ("orders", 1, "…"),
        ("注文注文注文", 7, "注 … 文"),
        ("", 3, ""),
    ],
)
def test_a_name_is_cut_in_its_middle(name: str, width: int, shown: str) -> None:
    assert cut(name, width) == shown
    assert cell_len(cut(name, width)) <= width
