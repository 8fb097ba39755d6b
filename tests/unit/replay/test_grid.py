"""What gives way in a narrow terminal: columns that are said to, then names are cut; figures never are."""

import pytest
from milvus_otel_processor.replay.grid import Grid, Words
from rich.console import Console


def lines(grid: Grid, width: int) -> list[str]:
    console = Console(width=width)
    with console.capture() as captured:
        console.print(grid.table(width))
    return [line.strip() for line in captured.get().splitlines() if line.strip(" ─")]


def grid() -> Grid:
    found = Grid((Words("policy", 12), Words("decision", 8), "traces", "cpu"), ("cpu",))
    found.rows += [
        ("drop-heartbeats", "would be sampled, is not_sampled", "1,234,567", "12.0 ms"),
        ("late", "", "", "3 ms"),
    ]
    return found


def test_with_room_for_all_each_row_is_a_line() -> None:
    assert lines(grid(), 100) == [
        "policy            decision                              traces       cpu",
        "drop-heartbeats   would be sampled, is not_sampled   1,234,567   12.0 ms",
        "late                                                                3 ms",
    ]  # fmt: skip


@pytest.mark.parametrize("width", [49, 60, 70])
def test_words_go_on_in_the_next_line_down_to_their_least(width: int) -> None:
    found = lines(grid(), width)
    assert "cpu" in found[0]
    assert any("1,234,567   12.0 ms" in line for line in found)
    assert max(map(len, found)) <= width
    assert "…" not in "".join(found)


def test_a_column_gives_way_with_the_rows_that_tell_nothing_else() -> None:
    assert grid().shown(48) == ["policy", "decision", "traces"]
    found = lines(grid(), 48)
    assert "cpu" not in found[0]
    assert not any(line.startswith("late") for line in found)


def test_names_are_cut_last_and_figures_never() -> None:
    found = lines(grid(), 30)
    assert found[1] == "dro…ts   wo…ed   1,234,567"


def test_where_only_the_title_is_too_long_it_goes_on_in_the_next_line() -> None:
    found = Grid(
        (Words("matched by no policy", 10), Words("collections", 10), "traces"), (), [("GET /", "orders_of_today", "7")]
    )
    assert lines(found, 47) == [
        "matched by no",
        "policy             collections       traces",
        "GET /              orders_of_today        7",
    ]


def test_an_empty_table_is_its_titles() -> None:
    assert lines(Grid((Words("policy", 12), "traces"), ()), 40) == ["policy   traces"]
