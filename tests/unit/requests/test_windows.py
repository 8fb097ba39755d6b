"""Windows tell of all requests of the last minutes, in bounded memory."""

import sys
from collections import Counter
from random import Random
from threading import Event, Thread
from time import process_time

import pytest
from milvus_otel_processor.requests.cells import Cell
from milvus_otel_processor.requests.record import STAGES, Record, Series
from milvus_otel_processor.requests.sketch import RELATIVE_ERROR, quantiles
from milvus_otel_processor.requests.windows import MINUTES

from tests.support.clock import Clock
from tests.support.request_records import Made, Observed, record, series, times


def counts(windows: Observed, minutes: float) -> dict[str, int]:
    """Requests by collection."""
    found: Counter[str] = Counter()
    for one, cell in windows.over(minutes).cells().items():
        found[one.collection] += cell.requests
    return dict(found)


def test_a_request_is_told_of_at_once() -> None:
    windows = Observed(Clock())
    windows.observe(record(series("orders"), 0.25, times(wait=0.2, core=0.05), kept=True, trace=7))
    ((found, cell),) = windows.over(1).cells().items()
    assert found == series("orders")
    assert (cell.requests, cell.kept, cell.seconds, cell.slowest_kept) == (1, 1, 0.25, (7).to_bytes(16))
    assert tuple(cell.times) == times(wait=0.2, core=0.05)


def test_without_requests_there_is_nothing_to_tell() -> None:
    clock = Clock()
    windows = Observed(clock)
    assert windows.over(60).cells() == {}
    assert windows.over(60).seconds == 0.0
    clock.advance(30)
    assert windows.over(60).seconds == 30.0


@pytest.mark.parametrize("minutes", MINUTES)
def test_a_window_forgets_what_is_older(minutes: int) -> None:
    clock = Clock()
    windows = Observed(clock)
    windows.observe(record(series("old")))
    for _ in range(60 * minutes):
        clock.advance(1)
        windows.tick()
    windows.observe(record(series("new")))
    for _ in range(60 * minutes // 6 + 10):
        clock.advance(1)
        windows.tick()
    assert counts(windows, minutes) == {"new": 1}


@pytest.mark.parametrize("minutes", MINUTES)
def test_a_window_is_as_long_as_it_says_and_rates_come_out_right(minutes: int) -> None:
    clock, random = Clock(), Random(minutes)
    windows = Observed(clock)
    at: list[float] = []
    for _ in range(2 * 3600):
        clock.advance(1.0)
        windows.tick()
        if random.random() < 0.5:
            windows.observe(record())
            at.append(clock.now)
    window = windows.over(minutes)
    assert 60 * minutes <= window.seconds <= 60 * minutes * 7 / 6 + 1
    since = clock.now - window.seconds
    assert sum(cell.requests for cell in window.cells().values()) == sum(one >= since for one in at)


def test_all_is_added_up_right_when_slices_become_coarser() -> None:
    clock, random = Clock(), Random(5)
    windows = Observed(clock)
    records = []
    for index in range(30_000):
        one = record(
            series(random.choice("abc"), error=random.choice(("", "", "100"))),
            random.lognormvariate(-4, 1),
            times(wait=random.random(), client=random.random()),
            kept=random.random() < 0.1,
            trace=index,
        )
        records.append(one)
        windows.observe(one)
        clock.advance(0.11)
        windows.tick()
    cells = windows.over(60).cells()
    assert set(cells) == {one.series for one in records}
    for of, cell in cells.items():
        mine = [one for one in records if one.series == of]
        kept = [one for one in mine if one.kept]
        assert (cell.requests, cell.kept) == (len(mine), len(kept))
        assert cell.seconds == pytest.approx(sum(one.seconds for one in mine))
        assert list(cell.times) == pytest.approx([sum(each) for each in zip(*(one.times for one in mine), strict=True)])
        assert cell.slowest_kept == max(kept, key=lambda one: one.seconds).trace_id
        exact = sorted(one.seconds for one in mine)[int(0.99 * (len(mine) - 1))]
        assert quantiles(cell.bins, (0.99,)) == [pytest.approx(exact, rel=RELATIVE_ERROR)]


def test_a_clock_that_jumps_ahead_forgets_and_one_that_stands_still_does_no_harm() -> None:
    clock = Clock()
    windows = Observed(clock)
    windows.observe(record(series("old")))
    clock.advance(10)
    windows.tick()
    clock.advance(100_000)
    windows.tick()
    windows.tick()
    windows.observe(record(series("new")))
    assert counts(windows, 1) == {"new": 1}
    assert windows.over(1).seconds >= 0


@pytest.mark.parametrize("seconds", [0.0, 1e-9, 2.0**34])
def test_a_hostile_duration_counts_as_a_request(seconds: float) -> None:
    windows = Observed(Clock())
    windows.observe(record(seconds=seconds))
    assert counts(windows, 1) == {"orders": 1}


def test_the_past_takes_no_more_than_its_limit_and_the_window_says_how_far_it_reaches() -> None:
    clock, random, limit = Clock(), Random(1), 400_000
    windows = Observed(clock, limit)
    of = [series(f"c{index}") for index in range(200)]
    for _ in range(200):
        for one in of:
            windows.observe(record(one, random.lognormvariate(-4, 2)))
        clock.advance(10)
        windows.tick()
        with_now = windows.memory()
        assert with_now <= limit
    window = windows.over(60)
    assert 60 < window.seconds < 1900
    assert sum(cell.requests for cell in window.cells().values()) == 200 * window.seconds / 10


def test_what_is_said_of_memory_is_what_is_taken() -> None:
    clock, random = Clock(), Random(1)
    windows = Observed(clock)
    for _ in range(40):
        for index in range(100):
            windows.observe(record(series(f"c{index}"), random.lognormvariate(-4, 1)))
        clock.advance(10)
        windows.tick()
    slices = windows.over(60).slices
    taken = sum(sys.getsizeof(one.cells) + sum(map(sys.getsizeof, one.cells.values())) for one in slices)
    assert 0.5 * windows.memory() < taken < 1.5 * windows.memory()


def test_the_slice_of_now_counts_as_memory_until_it_is_over() -> None:
    clock = Clock()
    windows = Observed(clock)
    for index in range(2000):
        windows.observe(record(series(f"c{index}"), 0.001 * (index + 1)))
    windows.over(1)
    held = windows.counts.size
    clock.advance(10)
    windows.tick()
    let_go = held - windows.counts.size
    assert 2000 * 150 < let_go < 2000 * 2000
    assert 0 < windows.memory() < 2000 * 1000


def test_half_of_the_past_is_forgotten_where_memory_is_short() -> None:
    clock = Clock()
    windows = Observed(clock)
    for _ in range(40):
        windows.observe(record())
        clock.advance(10)
        windows.tick()
    before = windows.memory()
    windows.give_way()
    assert 0 < windows.memory() <= before / 2 + 400
    assert counts(windows, 1) == {"orders": 6}


def test_who_reads_does_not_stop_who_observes_and_nothing_is_lost() -> None:
    windows = Observed()
    ended = Event()

    def read() -> None:
        while not ended.is_set():
            windows.over(1).cells()
            windows.tick()

    reader = Thread(target=read)
    reader.start()
    try:
        for index in range(30_000):
            windows.observe(record(series(f"c{index % 50}")))
    finally:
        ended.set()
        reader.join()
    assert sum(counts(windows, 60).values()) == 30_000


def test_observing_is_cheap() -> None:
    random = Random(1)
    of = [series(f"c{index}") for index in range(20)]
    records: list[Made] = [
        record(random.choice(of), random.lognormvariate(-4, 1), times(wait=0.1, core=0.2), kept=random.random() < 0.1)
        for _ in range(5_000)
    ]

    def cost() -> float:
        windows = Observed()
        begin = process_time()
        for one in records:
            windows.observe(one)
        windows.over(1)
        return (process_time() - begin) / len(records)

    assert min(cost() for _ in range(10)) < 10e-6  # about 1e-6 on a quiet machine; other work only adds to it


def test_a_cell_that_was_packed_is_as_it_was() -> None:
    cell, again, times = Cell(), Cell(), (1,) * len(STAGES)
    cell.add_records([Record(0, 10**7 * index, times, index == 3, bytes([index]) * 16, 0) for index in range(10)])
    again.add_packed(cell.packed())
    assert {name: getattr(again, name) for name in Cell.__slots__} == {
        name: getattr(cell, name) for name in Cell.__slots__
    }


def test_the_overflow_is_a_series_like_others() -> None:
    windows = Observed(Clock())
    windows.observe(record(Series("", "otel.metric.overflow", "", "", "")))
    assert counts(windows, 1) == {"otel.metric.overflow": 1}
