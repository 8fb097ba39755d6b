import pytest

from tests.support.policies import entry, samples
from tests.support.spans import span, trace_of

YES = entry("always_sample", name="yes")
NO = entry("probabilistic", {"sampling_percentage": 0}, name="no")


def sampled(*sub_policies: dict[str, object]) -> bool:
    return samples(trace_of(span(name="search", end_ms=500)), "and", {"and_sub_policy": list(sub_policies)})


@pytest.mark.parametrize(
    ("sub_policies", "expected"),
    [([YES], True), ([NO], False), ([YES, YES], True), ([YES, NO], False), ([NO, YES], False)],
    ids=["yes", "no", "yes yes", "yes no", "no yes"],
)
def test_all_have_to_sample(sub_policies: list[dict[str, object]], expected: bool) -> None:
    assert sampled(*sub_policies) is expected


def test_different_spans_may_satisfy_different_sub_policies() -> None:
    trace = trace_of(span(1, 1, name="search"), span(1, 2, attributes={"k": "v"}))
    by_name = entry("span_name", {"names": ["search"]}, name="name")
    by_attribute = entry("string_attribute", {"key": "k", "values": ["v"]}, name="attribute")
    assert samples(trace, "and", {"and_sub_policy": [by_name, by_attribute]})


def test_an_inverted_sub_policy_takes_part_as_it_answers() -> None:
    not_search = entry("span_name", {"names": ["search"], "invert_match": True}, name="not search")
    assert not sampled(YES, not_search)


def test_it_may_be_nested() -> None:
    assert sampled(entry("and", {"and_sub_policy": [YES]}, name="inner"), YES)
    assert not sampled(entry("and", {"and_sub_policy": [NO]}, name="inner"), YES)


def test_no_sub_policies_are_refused() -> None:
    with pytest.raises(ValueError, match="and_sub_policy"):
        sampled()
