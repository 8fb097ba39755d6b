"""While the demo serves, each kept trace is told once, with all of its spans."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milvus_otel_processor.demo.serve import Arrivals

from tests.demo.spans import search_trace

if TYPE_CHECKING:
    from milvus_otel_processor.replay.kept_span import KeptSpan


def test_a_trace_is_told_once_when_it_no_longer_grows() -> None:
    trace = search_trace()
    traces: list[list[KeptSpan]] = []
    arrivals = Arrivals(lambda: traces)
    assert list(arrivals.settled()) == []
    traces[:] = [trace[:2]]
    assert list(arrivals.settled()) == []
    traces[:] = [trace]
    assert list(arrivals.settled()) == []
    assert list(arrivals.settled()) == [trace]
    assert list(arrivals.settled()) == []


def test_a_trace_that_was_there_before_is_not_told() -> None:
    traces = [search_trace()]
    arrivals = Arrivals(lambda: traces)
    assert list(arrivals.settled()) == []
    assert list(arrivals.settled()) == []


def test_a_trace_that_is_no_longer_held_is_forgotten() -> None:
    traces = [search_trace()]
    arrivals = Arrivals(lambda: traces)
    traces.clear()
    assert list(arrivals.settled()) == []
    assert (arrivals._told, arrivals._sizes) == (set(), {})
