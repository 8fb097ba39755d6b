import math

import pytest

from tests.support.policies import samples
from tests.support.spans import span, trace_of

KEY = "db.response.returned_rows"


def sampled(value: object, **settings: object) -> bool:
    return samples(trace_of(span(attributes={KEY: value})), "numeric_attribute", {"key": KEY, **settings})


@pytest.mark.parametrize(("value", "within"), [(9, False), (10, True), (15, True), (20, True), (21, False)])
def test_both_bounds_are_within(value: int, within: bool) -> None:
    assert sampled(value, min_value=10, max_value=20) is within


def test_one_bound_is_enough() -> None:
    assert sampled(1 << 62, min_value=10)
    assert sampled(-(1 << 62), max_value=10)
    assert not sampled(9, min_value=10)
    assert not sampled(11, max_value=10)


def test_a_bound_of_zero_is_a_bound() -> None:
    assert sampled(0, min_value=0)
    assert not sampled(-1, min_value=0)
    assert not sampled(1, max_value=0)


def test_without_a_bound_the_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="expected min_value or max_value"):
        sampled(1)


@pytest.mark.parametrize(("value", "within"), [(0.49, False), (0.5, True), (0.75, True), (0.76, False)])
def test_a_double_is_compared_with_its_value(value: float, within: bool) -> None:
    assert sampled(value, min_value=0.5, max_value=0.75) is within


def test_what_is_not_a_number_is_in_no_bounds() -> None:
    assert not sampled(math.nan, min_value=-1, max_value=1)
    assert sampled(math.inf, min_value=1)


@pytest.mark.parametrize("value", ["15", True, b"15", [15]], ids=repr)
def test_an_attribute_of_another_type_is_zero(value: object) -> None:
    assert not sampled(value, min_value=10, max_value=20)
    assert sampled(value, min_value=-1, max_value=1)


def test_a_trace_without_the_attribute_is_not_sampled() -> None:
    settings = {"key": KEY, "min_value": -1}
    assert not samples(trace_of(span()), "numeric_attribute", settings)
    assert not samples(trace_of(), "numeric_attribute", settings)


def test_an_attribute_of_the_resource_counts() -> None:
    trace = trace_of(span(), resource={KEY: 15})
    assert samples(trace, "numeric_attribute", {"key": KEY, "min_value": 15})


def test_one_span_of_many_is_enough() -> None:
    trace = trace_of(span(1, 1, attributes={KEY: 1}), span(1, 2, attributes={KEY: 15}))
    assert samples(trace, "numeric_attribute", {"key": KEY, "min_value": 15})
    assert not samples(trace, "numeric_attribute", {"key": KEY, "min_value": 15, "invert_match": True})


def test_inverted_a_trace_without_the_attribute_is_sampled() -> None:
    settings = {"key": KEY, "min_value": 10, "invert_match": True}
    assert samples(trace_of(span()), "numeric_attribute", settings)
    assert samples(trace_of(), "numeric_attribute", settings)
    assert samples(trace_of(span(attributes={KEY: 9})), "numeric_attribute", settings)
