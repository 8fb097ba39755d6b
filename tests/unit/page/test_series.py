"""The page's rates are by a clock that nobody sets."""

from __future__ import annotations

from itertools import pairwise

from milvus_otel_processor.page.now import RATES, _rate
from milvus_otel_processor.page.series import SECONDS_APART, Series
from milvus_otel_processor.telemetry.counters import Telemetry

from tests.support.clock import Clock


def test_a_wall_clock_that_jumps_changes_no_rate() -> None:
    telemetry, clock, wall = Telemetry(), Clock(), Clock()
    wall.now = 1_795_000_000.0
    series = Series(telemetry, clock, wall)
    for step in (0, 5, -3600, 5, 86_400, 5, -2, 5):
        assert series.sample()
        telemetry.received_spans += 50
        clock.advance(SECONDS_APART)
        wall.now += step
    points = series.points()
    assert [_rate("received", *pair) for pair in pairwise(points)] == [10.0] * (len(points) - 1)
    assert all(_rate(name, *pair) >= 0 for pair in pairwise(points) for name in RATES)
    assert points[-1].at == wall.now


def test_a_point_is_taken_every_five_seconds_whatever_the_wall_clock_says() -> None:
    clock, wall = Clock(), Clock()
    series = Series(Telemetry(), clock, wall)
    taken = 0
    for second in range(60):
        taken += series.sample()
        clock.advance(1)
        wall.now += -7 if second % 2 else 9
    assert taken == 12


def test_a_silence_is_as_long_as_no_span_has_come() -> None:
    now = 0.0
    telemetry = Telemetry()
    series = Series(telemetry, lambda: now, lambda: now)
    assert series.silence() == 0
    for second, received in ((0, 0), (5, 10), (10, 20), (15, 20), (20, 20)):
        now, telemetry.received_spans = float(second), received
        series.sample()
    now = 23.0
    assert series.silence() == 13
    telemetry.received_spans = 21
    assert series.silence() == 0
