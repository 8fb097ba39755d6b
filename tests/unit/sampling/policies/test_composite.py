from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.sampling.policies import Evaluator
from milvus_otel_processor.sampling.policies.composite import CompositeSettings

from tests.support.clock import Clock
from tests.support.harness import sampling
from tests.support.policies import entry, evaluator_at
from tests.support.spans import span, trace_of

ERRORS = entry("status_code", {"status_codes": ["ERROR"]}, "errors")
REST = entry("always_sample", name="rest")
SHARES = [{"policy": "errors", "percent": 50}, {"policy": "rest", "percent": 20}]


def settings(*shares: dict[str, object], total: int = 10, **others: object) -> dict[str, object]:
    found = {
        "max_total_spans_per_second": total,
        "composite_sub_policy": [ERRORS, REST],
        "rate_allocation": list(shares),
    }
    return found | others


def kept(evaluator: Evaluator, *sizes: int, status: int = 0) -> list[int]:
    """The sizes of the traces that are sampled."""
    traces = [(size, trace_of(*(span(1, number, status=status) for number in range(size)))) for size in sizes]
    return [size for size, trace in traces if evaluator.evaluate(trace) is Decision.SAMPLED]


def test_each_policy_keeps_its_share_of_each_second() -> None:
    clock = Clock(1000.5)
    composite = evaluator_at(clock, "composite", settings(*SHARES))
    assert kept(composite, 3, 3, 2, 1, status=2) == [3, 2]
    assert kept(composite, 1, 1, 1) == [1, 1]
    clock.advance(0.4)
    assert kept(composite, 1) == []
    clock.advance(0.1)  # a second of the wall clock begins
    assert kept(composite, 2) == [2]


def test_a_trace_that_finds_no_room_in_the_first_share_is_not_tried_with_the_next() -> None:
    composite = evaluator_at(Clock(), "composite", settings(*SHARES, {"policy": "rest", "percent": 100}))
    assert kept(composite, 6, status=2) == []


def test_no_share_is_larger_than_the_whole() -> None:
    composite = evaluator_at(Clock(), "composite", settings({"policy": "rest", "percent": 300}))
    assert kept(composite, 11, 10) == [10]


def test_a_percent_of_zero_and_no_entry_are_an_equal_share() -> None:
    made = CompositeSettings.model_validate(settings({"policy": "errors", "percent": 0}, total=15))
    assert made.allocated() == {"errors": 7, "rest": 7}
    assert kept(evaluator_at(Clock(), "composite", settings()), 6, 5) == [5]


def test_shares_are_cut_off_as_go_computes_them() -> None:
    made = CompositeSettings.model_validate(settings({"policy": "errors", "percent": 29}, total=100))
    assert made.allocated() == {"errors": 28, "rest": 50}  # 0.29 * 100 is a little less than 29


def test_what_keeps_nothing_and_what_is_not_looked_at_is_noted() -> None:
    block = sampling(entry("composite", settings(*SHARES, total=4, policy_order=["rest", "errors"])))
    order, nothing = block.notes()
    assert order.startswith("policies[0].composite.policy_order: is not looked at")
    assert nothing == (
        "policies[0].composite.max_total_spans_per_second: leaves no span to rest, so that nothing is kept by it"
    )
    assert sampling(entry("composite", settings(*SHARES, policy_order=["errors", "rest"]))).notes() == []
