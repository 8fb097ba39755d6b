from milvus_otel_processor.sampling.decision import Decision

from tests.support.clock import Clock
from tests.support.policies import entry, evaluator_at, samples
from tests.support.spans import span, trace_of


def test_the_answer_of_the_other_policy_is_turned_around() -> None:
    for minimum, sampled in ((1, False), (2, True)):
        sub = entry("span_count", {"min_spans": minimum})
        assert samples(trace_of(span()), "not", {"not_sub_policy": sub}) is sampled


def test_it_holds_any_policy_another_not_too() -> None:
    twice = entry("not", {"not_sub_policy": entry("not", {"not_sub_policy": entry("always_sample")})})
    both = entry("and", {"and_sub_policy": [entry("always_sample"), twice]})
    assert samples(trace_of(span()), "and", {"and_sub_policy": [both]})


def test_a_policy_inside_needs_no_name() -> None:
    assert not samples(trace_of(span()), "not", {"not_sub_policy": {"type": "always_sample"}})


def test_the_memory_of_the_other_policy_is_its_own() -> None:
    limit = entry("rate_limiting", {"spans_per_second": 0, "burst_capacity": 1})
    evaluator = evaluator_at(Clock(), "not", {"not_sub_policy": limit})
    assert evaluator.stateful
    answers = [evaluator.evaluate(trace_of(span())) for _ in range(2)]
    assert answers == [Decision.NOT_SAMPLED, Decision.SAMPLED]
