"""The arithmetic is that of golang.org/x/time/rate; how much passes is also compared with a real Collector (tests/differential)."""

import pytest
from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.sampling.policies import Evaluator
from milvus_otel_processor.sampling.policies.token_bucket import TokenBucket

from tests.support.clock import Clock
from tests.support.policies import evaluator_at
from tests.support.spans import span, trace_of


def passes(evaluator: Evaluator, spans: int) -> bool:
    trace = trace_of(*(span(1, number) for number in range(1, spans + 1)))
    return evaluator.evaluate(trace) is Decision.SAMPLED


def test_a_burst_passes_and_then_as_much_as_the_rate_adds() -> None:
    clock = Clock()
    limit = evaluator_at(clock, "rate_limiting", {"spans_per_second": 10, "burst_capacity": 25})
    assert passes(limit, 25)
    assert not passes(limit, 1)
    clock.advance(0.5)
    assert not passes(limit, 6)
    assert passes(limit, 5)
    assert not passes(limit, 1)


def test_a_burst_is_twice_the_rate_where_nothing_else_is_said() -> None:
    limit = evaluator_at(Clock(), "rate_limiting", {"spans_per_second": 10})
    assert passes(limit, 20)
    assert not passes(limit, 1)


def test_what_is_refused_takes_nothing() -> None:
    limit = evaluator_at(Clock(), "rate_limiting", {"spans_per_second": 0, "burst_capacity": 5})
    assert not passes(limit, 6)
    assert passes(limit, 5)


def test_a_trace_larger_than_the_burst_never_passes_however_long_it_is_waited() -> None:
    clock = Clock()
    limit = evaluator_at(clock, "rate_limiting", {"spans_per_second": 10, "burst_capacity": 5})
    clock.advance(3600)
    assert not passes(limit, 6)
    assert passes(limit, 5)


def test_a_limit_of_nothing_lets_nothing_pass() -> None:
    assert not passes(evaluator_at(Clock(), "rate_limiting", {}), 1)


@pytest.mark.parametrize(("rate", "missing", "taken"), [(1, 1e-10, True), (1, 1e-8, False), (0, 1e-10, False)])
def test_less_than_a_nanosecond_of_waiting_is_not_missing(rate: int, missing: float, taken: bool) -> None:
    clock = Clock()
    bucket = TokenBucket(rate, 2, clock)
    assert bucket.take(2)
    clock.advance(1 - missing)
    assert bucket.take(1) is taken


def test_a_clock_that_runs_backwards_gives_and_takes_nothing() -> None:
    clock = Clock()
    bucket = TokenBucket(10, 10, clock)
    assert bucket.take(10)
    clock.advance(-5)
    assert not bucket.take(1)
