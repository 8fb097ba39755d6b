import pytest

from tests.support.policies import samples
from tests.support.spans import span, trace_of


@pytest.mark.parametrize(
    ("duration_ms", "sampled"),
    [(99, False), (100, False), (100.999, False), (101, True), (5000, True)],
)
def test_a_trace_is_sampled_when_its_whole_milliseconds_are_more_than_the_threshold(
    duration_ms: float, sampled: bool
) -> None:
    trace = trace_of(span(start_ms=1000, end_ms=1000 + duration_ms))
    assert samples(trace, "latency", {"threshold_ms": 100}) is sampled


@pytest.mark.parametrize(
    ("duration_ms", "sampled"), [(100, False), (101, True), (200, True), (200.999, True), (201, False)]
)
def test_the_upper_threshold_is_still_sampled(duration_ms: float, sampled: bool) -> None:
    trace = trace_of(span(end_ms=duration_ms))
    assert samples(trace, "latency", {"threshold_ms": 100, "upper_threshold_ms": 200}) is sampled


def test_the_duration_is_from_the_earliest_start_to_the_latest_end() -> None:
    short_spans_far_apart = trace_of(span(1, 1, start_ms=1000, end_ms=1001), span(1, 2, start_ms=1499, end_ms=1500))
    assert samples(short_spans_far_apart, "latency", {"threshold_ms": 499})
    assert not samples(short_spans_far_apart, "latency", {"threshold_ms": 500})


@pytest.mark.parametrize("order", [(6, 12), (12, 6)], ids=["shorter first", "longer first"])
def test_a_trace_above_the_upper_threshold_is_not_sampled_for_one_of_its_spans(order: tuple[int, int]) -> None:
    trace = trace_of(*[span(1, end, end_ms=end * 1000) for end in order])
    assert not samples(trace, "latency", {"threshold_ms": 5000, "upper_threshold_ms": 10_000})


def test_a_span_that_ends_before_it_starts_is_not_sampled() -> None:
    assert not samples(trace_of(span(start_ms=5000, end_ms=0)), "latency", {"threshold_ms": 0})


def test_an_empty_trace_is_not_sampled() -> None:
    assert not samples(trace_of(), "latency", {"threshold_ms": 0})


def test_the_greatest_time_is_a_time() -> None:
    late = span(start_ms=0, end_ms=0)
    late.end_time_unix_nano = (1 << 64) - 1
    assert samples(trace_of(late), "latency", {"threshold_ms": 1})
