import pytest

from tests.support.policies import samples
from tests.support.spans import span, trace_of

KEY = "milvus.partial"


@pytest.mark.parametrize("value", [True, False])
@pytest.mark.parametrize("wanted", [True, False])
def test_a_trace_is_sampled_when_the_attribute_has_the_value(value: bool, wanted: bool) -> None:
    trace = trace_of(span(attributes={KEY: value}))
    assert samples(trace, "boolean_attribute", {"key": KEY, "value": wanted}) is (value == wanted)
    assert samples(trace, "boolean_attribute", {"key": KEY, "value": wanted, "invert_match": True}) is (value != wanted)


@pytest.mark.parametrize("invert", [True, False])
def test_without_the_attribute_a_trace_is_sampled_if_the_match_is_inverted(invert: bool) -> None:
    for trace in (trace_of(span()), trace_of()):
        assert samples(trace, "boolean_attribute", {"key": KEY, "value": False, "invert_match": invert}) is invert


@pytest.mark.parametrize("value", ["true", 1, 1.0, b"\1", [True]], ids=repr)
def test_an_attribute_of_another_type_is_false(value: object) -> None:
    trace = trace_of(span(attributes={KEY: value}))
    assert not samples(trace, "boolean_attribute", {"key": KEY, "value": True})
    assert samples(trace, "boolean_attribute", {"key": KEY, "value": False})


def test_an_attribute_of_the_resource_counts() -> None:
    assert samples(trace_of(span(), resource={KEY: True}), "boolean_attribute", {"key": KEY, "value": True})


def test_one_span_of_many_is_enough() -> None:
    trace = trace_of(span(1, 1), span(1, 2, attributes={KEY: False}), span(1, 3, attributes={KEY: True}))
    assert samples(trace, "boolean_attribute", {"key": KEY, "value": True})
