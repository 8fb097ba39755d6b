"""What `milvus-otel top` shows of an answer, and how it goes on when there is none."""

from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import pytest
from milvus_otel_processor.page.client import ClientError
from milvus_otel_processor.requests.record import OVERFLOW
from milvus_otel_processor.requests.summary import Wanted, summary
from milvus_otel_processor.top.live import follow
from milvus_otel_processor.top.screen import HELP, screen
from milvus_otel_processor.top.view import View
from rich.console import Console

from tests.support.clock import Clock
from tests.support.request_records import Observed, record, series, times


def answer(*, counted: bool = True, limit: int = 100) -> dict[str, Any]:
    clock = Clock()
    windows = Observed(clock)
    for index in range(60):
        windows.observe(record(series("orders"), 0.19, times(wait=0.186, core=0.004), kept=index < 6, trace=index))
        windows.observe(record(series("users", "Query", "100" if index < 3 else ""), 0.002, times(core=0.002)))
    windows.observe(record(OVERFLOW, 0.001))
    clock.advance(60)
    return {"counted": counted, **summary(windows.over(1), Wanted(limit=limit))}


def shown(found: dict[str, Any], view: View | None = None, width: int = 160, **more: Any) -> str:
    console = Console(file=StringIO(), width=width, highlight=False, markup=False)
    console.print(screen(found, view or View(minutes=1), width, **more))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_it_says_how_many_there_are_that_all_count_and_how_exact_it_is() -> None:
    first = shown(answer()).split("\n")[0]
    assert first.startswith("121 requests in the last 1.0 min (2.02/s), 3 failed; p99 188. ")
    assert "All of them count; 5.0% are in kept traces. Durations in ms, quantiles ±1%." in first


def test_a_row_shows_where_the_time_went_and_below_what_that_means() -> None:
    lines = shown(answer()).split("\n")
    (row,) = [line for line in lines if line.startswith("default   orders")]
    assert row.split()[:3] == ["default", "orders", "Search"]
    assert row.rstrip().endswith("99%     6  wait 98%")
    assert any(line.startswith("default orders Search: Most of the time was the wait") for line in lines)


def test_requests_without_room_are_called_all_others() -> None:
    assert "(all others)" in shown(answer())


def test_hostile_names_stay_on_their_line_and_markup_is_text() -> None:
    found = answer()
    found["rows"][0]["collection"] = "a\nb\x1b[31m[bold]" + "x" * 10_000
    found["rows"][0]["hint"] = "[/bold]\x1b[2J"
    text = shown(found)
    assert "a\ufffdb\ufffd[31m[bold]xxx" in text
    assert max(map(len, text.split("\n"))) <= 160


@pytest.mark.parametrize("width", [20, 40, 80, 300])
def test_it_fits_into_any_width(width: int) -> None:
    assert max(map(len, shown(answer(), width=width).split("\n"))) <= width


def test_rows_that_are_not_shown_are_counted() -> None:
    assert "and 1 more" in shown(answer(limit=2))
    found = answer()
    found["rows"] *= 10
    assert "and 27 more" in shown(found, height=10)


@pytest.mark.parametrize("width", [40, 80, 160])
@pytest.mark.parametrize("height", [16, 24, 50])
def test_what_is_typed_is_the_last_line_of_a_screen_of_any_size(width: int, height: int) -> None:
    found = answer()
    found["rows"] *= 30
    said = shown(found, View(text="r", typing=True), width, height=height, keys=HELP).rstrip().split("\n")
    assert said[-1].startswith("filter: r_")
    assert len(said) <= height
    keys = " ".join(shown(found, View(), width, height=height, keys=HELP).split()[-12:])
    assert keys.endswith("p pause q quit")
    assert sum("orders" in line and "Search" in line for line in said) >= 1


def test_a_hint_is_whole_or_not_there_and_names_three_rows_at_the_most() -> None:
    found = answer()
    found["rows"] = [{**found["rows"][0], "collection": f"c{number}"} for number in range(40)]
    said = " ".join(shown(found, width=80).split())
    assert "default c0 Search, default c1 Search, default c2 Search and 37 more: Most of the time was" in said
    for height in range(10, 40):
        text = " ".join(shown(found, width=80, height=height).split())
        assert ("Most of the time" in text) == text.endswith("Strong always waits for the next time tick.")


def test_where_nothing_is_counted_it_says_what_to_do() -> None:
    assert "requests.enabled" in shown(answer(counted=False))


def test_before_the_first_request_it_says_when_there_will_be_one() -> None:
    found = {"counted": True, **summary(Observed(Clock()).over(1), Wanted())}
    assert "No request yet" in shown(found)
    assert "0 requests in the last 0.0 min (0/s), 0 failed; p99 -. " in shown(found)


def test_a_filter_that_nothing_matches_is_named_with_what_was_looked_at_while_all_are_counted() -> None:
    said = shown(answer(), View(minutes=1, by=("database", "operation"), text="prod"))
    assert "No request yet" not in said
    assert "Nothing matches “prod”; looked at: database, operation." in said
    assert said.startswith("121 requests")
    assert "Below: only “prod”." in said


def test_values_that_no_request_has_are_named() -> None:
    where = (("collection", "prod"), ("error_type", ""))
    said = shown({**answer(), "rows": []}, View(minutes=1, where=where), 300)
    assert "No request of this window has collection prod, error type -." in said
    assert said.startswith("121 requests")
    assert "Below: only collection prod, error type -." in said


def test_a_filter_does_not_count_the_rows_that_it_was_not_tried_on() -> None:
    said = shown(answer(limit=2), View(minutes=1, text="orders"))
    assert "not looked at: 1 more, see --limit" in said
    assert "and 1 more" not in said


def typed(keys: list[str], clock: Clock) -> Callable[[float], str]:
    left: Iterator[str] = iter(keys)

    def key(seconds: float) -> str:
        pressed = next(left, "q")
        if not pressed:
            clock.advance(seconds)
        return pressed

    return key


def test_it_asks_again_when_it_is_time_or_when_what_is_asked_for_changes() -> None:
    clock, asked = Clock(), list[str]()

    def ask(path: str) -> dict[str, Any]:
        asked.append(path)
        return answer()

    console = Console(file=StringIO(), width=100, height=20)
    follow(
        ask, View(), console, interval=2.0, key=typed(["", "s", "/", "o", "\r", "p", "", "p", ""], clock), clock=clock
    )
    sorts = [path.partition("sort=")[2].partition("&")[0] for path in asked]
    assert sorts == ["total_ms", "total_ms", "requests", "requests"]


def test_when_the_processor_is_gone_the_last_answer_stays_with_the_reason() -> None:
    clock, answers = Clock(), iter([answer()])

    def ask(_: str) -> dict[str, Any]:
        found = next(answers, None)
        if found is None:
            raise ClientError("http://127.0.0.1:1: no answer: Connection refused")
        return found

    out = StringIO()
    console = Console(file=out, width=100, height=30, force_terminal=True)
    follow(ask, View(), console, interval=2.0, key=typed(["", "ggg"], clock), clock=clock)
    assert "no answer: Connection refused" in out.getvalue()
    assert out.getvalue().rindex("orders") > out.getvalue().index("no answer")


def test_without_an_answer_at_the_start_it_ends() -> None:
    def ask(_: str) -> dict[str, Any]:
        raise ClientError("nobody there")

    with pytest.raises(ClientError, match="nobody there"):
        follow(ask, View(), Console(file=StringIO()), interval=2.0, key=lambda _: "q")
