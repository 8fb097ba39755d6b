"""Rules that come over HTTP: none of them takes long to read, however odd they are."""

from __future__ import annotations

from time import process_time

import pytest
from milvus_otel_processor.config.loader import load_rules
from milvus_otel_processor.config.problems import ConfigError

_BYTES = 250_000
"""About what a body may have."""


def _filled(head: str, unit: str, tail: str) -> str:
    return head + unit * ((_BYTES - len(head) - len(tail)) // len(unit)) + tail


_POLICY = "policies: [{name: a, type: string_attribute, string_attribute: {key: k, values: ["
_CONDITION = "policies: [{name: a, type: ottl_condition, ottl_condition: {span: ['"
TEXTS = {
    "brackets": _filled("", "[", ""),
    "lists in lists": _filled("policies: ", "- ", ""),
    "many values": _filled("policies: [", "a,", "]"),
    "values that are there once each": _POLICY + ",".join(f"v{number}" for number in range(12_000)) + "]}}]",
    "dollars": _filled(_POLICY + "'", "$", "']}}]"),
    "open references": _filled(_POLICY + "'", "${", "']}}]"),
    "colons": _filled('policies: ["', ":", '"]'),
    "parentheses": _filled(_CONDITION, "(", "']}}]"),
    "policies": "policies:\n"
    + "".join(f"- {{name: a{n}, type: latency, latency: {{threshold_ms: {n}}}}}\n" for n in range(1_000)),
}


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_no_text_takes_longer_than_its_length_explains(name: str) -> None:
    # Each of them took minutes, or seconds by the square of its length. The bound is far from what they take now.
    began = process_time()
    try:
        load_rules(TEXTS[name], "rules", None)
    except ConfigError as error:
        assert error.problems  # noqa: PT017 - some are right, most are not
    assert process_time() - began < 20


@pytest.mark.parametrize("parentheses", [40, 200, 5_000])
def test_a_condition_that_is_nested_deeply_is_a_problem_and_no_crash(parentheses: int) -> None:
    text = f"{_CONDITION}{'(' * parentheses}true{')' * parentheses}']}}}}]"
    if parentheses == 40:
        load_rules(text, "rules", None)
        return
    with pytest.raises(ConfigError, match="parts stand within each other more than 100 deep"):
        load_rules(text, "rules", None)


def test_rules_with_more_values_than_anyone_writes_are_refused_with_the_number_that_may_be() -> None:
    text = _POLICY + ",".join(f"v{number}" for number in range(13_000)) + "]}}]"
    with pytest.raises(ConfigError, match="it is too long: a list of 12,500 values is the most that is read here"):
        load_rules(text, "rules", None)
