from collections.abc import Mapping

import pytest

from tests.support.policies import samples
from tests.support.spans import encoded, span, trace_from, trace_of

KEY = "db.collection.name"


def sampled(value: object, values: list[str], **settings: object) -> bool:
    return samples(
        trace_of(span(attributes={KEY: value})), "string_attribute", {"key": KEY, "values": values, **settings}
    )


def test_one_of_the_values_is_matched_whole() -> None:
    assert sampled("products", ["articles", "products"])
    assert not sampled("products", ["product", "products2", "PRODUCTS"])


def test_another_key_does_not_count() -> None:
    trace = trace_of(span(attributes={"other": "products", KEY + "2": "products"}))
    assert not samples(trace, "string_attribute", {"key": KEY, "values": ["products"]})


def test_an_attribute_of_the_resource_counts() -> None:
    trace = trace_of(span(), resource={"service.name": "segcore"})
    assert samples(trace, "string_attribute", {"key": "service.name", "values": ["segcore"]})


def test_one_resource_of_several_is_enough() -> None:
    trace = trace_from(encoded(span(1, 1)), encoded(span(1, 2), resource={"service.name": "segcore"}))
    assert samples(trace, "string_attribute", {"key": "service.name", "values": ["segcore"]})


@pytest.mark.parametrize("value", [7, 7.0, True, b"7", ["7"], {"7": "7"}, None], ids=repr)
def test_an_attribute_of_another_type_does_not_match(value: object) -> None:
    assert not sampled(value, ["7", "True", ".*"])
    assert not sampled(value, [".*"], enabled_regex_matching=True)
    assert sampled(value, ["7"], invert_match=True)


class TestRegularExpressions:
    @pytest.mark.parametrize(
        ("expression", "matches"),
        [
            ("duct", True),
            ("^prod", True),
            ("^duct", False),
            ("ts$", True),
            ("prod$", False),
            ("p.*s", True),
            ("x", False),
        ],
    )
    def test_an_expression_is_searched_for_and_anchored_only_by_itself(self, expression: str, matches: bool) -> None:
        assert sampled("products", [expression], enabled_regex_matching=True) is matches

    def test_without_the_switch_an_expression_is_a_text(self) -> None:
        assert not sampled("products", ["p.*s"])
        assert sampled("p.*s", ["p.*s"])

    def test_a_dot_is_a_character_and_not_a_byte(self) -> None:
        assert sampled("größe", ["^gr.ße$"], enabled_regex_matching=True)
        assert sampled("向量", ["^..$"], enabled_regex_matching=True)

    def test_a_digit_is_an_ascii_digit(self) -> None:
        assert not sampled("٣", [r"\d"], enabled_regex_matching=True)

    def test_answers_stay_right_when_more_texts_come_than_are_remembered(self) -> None:
        settings = {"key": KEY, "values": ["^a"], "enabled_regex_matching": True, "cache_max_size": 1}
        for text, expected in [("a1", True), ("b1", False), ("a1", True), ("a2", True), ("b1", False)]:
            assert samples(trace_of(span(attributes={KEY: text})), "string_attribute", settings) is expected

    def test_an_expression_that_is_none_is_refused_and_named(self) -> None:
        with pytest.raises(ValueError, match=r"'\(' is not a regular expression"):
            sampled("x", ["a", "("], enabled_regex_matching=True)


class TestMultiByteText:
    @pytest.mark.parametrize("text", ["größe", "向量数据库", "🔎"])
    def test_it_is_matched_whole(self, text: str) -> None:
        assert sampled(text, [text])
        assert not sampled(text, [text[:-1]])

    def test_a_key_may_be_such_a_text(self) -> None:
        trace = trace_of(span(attributes={"größe": "x"}))
        assert samples(trace, "string_attribute", {"key": "größe", "values": ["x"]})


class TestInvertMatch:
    def test_a_match_is_not_sampled_and_all_else_is(self) -> None:
        assert not sampled("products", ["products"], invert_match=True)
        assert sampled("articles", ["products"], invert_match=True)

    def test_a_trace_without_the_attribute_is_sampled(self) -> None:
        settings = {"key": KEY, "values": ["products"], "invert_match": True}
        assert samples(trace_of(span()), "string_attribute", settings)
        assert samples(trace_of(), "string_attribute", settings)

    def test_one_match_among_many_spans_is_enough(self) -> None:
        trace = trace_of(span(1, 1, attributes={KEY: "articles"}), span(1, 2, attributes={KEY: "products"}), span(1, 3))
        assert not samples(trace, "string_attribute", {"key": KEY, "values": ["products"], "invert_match": True})


class TestEmptyValues:
    def test_an_empty_value_matches_nothing(self) -> None:
        assert not sampled("", [""])
        assert not sampled("x", [""])

    def test_no_values_match_nothing(self) -> None:
        assert not sampled("x", [])
        assert sampled("x", [], invert_match=True)

    @pytest.mark.parametrize(
        ("attributes", "resource", "matches"),
        [({KEY: ""}, {}, False), ({}, {KEY: ""}, True)],
        ids=["on a span", "on a resource"],
    )
    def test_an_expression_that_matches_an_empty_text_counts_on_a_resource_alone(
        self, attributes: Mapping[str, object], resource: Mapping[str, object], matches: bool
    ) -> None:
        trace = trace_of(span(attributes=attributes), resource=resource)
        settings = {"key": KEY, "values": ["^$"], "enabled_regex_matching": True}
        assert samples(trace, "string_attribute", settings) is matches
