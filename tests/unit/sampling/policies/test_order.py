"""The answer of a policy depends on what is in a trace, never on the order in which it arrived, nor on how often."""

from collections.abc import Mapping
from itertools import permutations

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from tests.support.policies import entry, evaluator
from tests.support.spans import encoded, span, trace_from

A = ({"region": "eu"}, span(1, 1, name="search", start_ms=1000, end_ms=8000, attributes={"n": 5, "flag": True}))
B = ({"region": "us"}, span(1, 2, 1, name="rpc", start_ms=500, end_ms=6000, status=Status.STATUS_CODE_ERROR))
C = ({"region": "eu"}, span(1, 3, 2, name="query", start_ms=5000, end_ms=12_000, attributes={"n": 50.5, "s": "größe"}))

_ROOT = {"names": ["search"], "root_only": True}
POLICIES: list[tuple[str, Mapping[str, object] | None]] = [
    ("always_sample", None),
    ("latency", {"threshold_ms": 11_000}),
    ("latency", {"threshold_ms": 5000, "upper_threshold_ms": 10_000}),
    ("latency", {"threshold_ms": 5000, "upper_threshold_ms": 20_000}),
    ("status_code", {"status_codes": ["ERROR"]}),
    ("status_code", {"status_codes": ["OK"]}),
    ("string_attribute", {"key": "s", "values": ["größe"]}),
    ("string_attribute", {"key": "s", "values": ["gr..e"], "enabled_regex_matching": True, "invert_match": True}),
    ("string_attribute", {"key": "region", "values": ["us"]}),
    ("string_attribute", {"key": "region", "values": ["eu"], "invert_match": True}),
    ("numeric_attribute", {"key": "n", "min_value": 6}),
    ("numeric_attribute", {"key": "n", "min_value": 6, "max_value": 7, "invert_match": True}),
    ("boolean_attribute", {"key": "flag", "value": True}),
    ("boolean_attribute", {"key": "n", "value": False, "invert_match": True}),
    ("probabilistic", {"sampling_percentage": 90}),
    ("span_name", {"names": ["query"]}),
    ("span_name", {"names": ["rpc"], "root_only": True, "invert_match": True}),
    (
        "and",
        {"and_sub_policy": [entry("span_name", _ROOT, "root"), entry("latency", {"threshold_ms": 11_000}, "slow")]},
    ),
    ("drop", {"drop_sub_policy": [entry("span_name", _ROOT, "root")]}),
]


@pytest.mark.parametrize(("type_", "settings"), POLICIES, ids=[f"{kind} {settings}" for kind, settings in POLICIES])
def test_shuffled_and_duplicated_spans_get_the_same_answer(type_: str, settings: Mapping[str, object] | None) -> None:
    answers = set()
    for arrived in [*permutations([A, B, C]), *permutations([A, B, C, A]), *permutations([B, A, C, B])]:
        trace = trace_from(*[encoded(one, resource=resource) for resource, one in arrived])
        answers.add(evaluator(type_, settings).evaluate(trace))
    assert len(answers) == 1


def test_both_answers_occur_so_that_the_test_above_can_fail() -> None:
    trace = trace_from(*[encoded(one, resource=resource) for resource, one in (A, B, C)])
    answers = [evaluator(type_, settings).evaluate(trace).value for type_, settings in POLICIES]
    assert {"sampled", "not_sampled", "dropped"} == set(answers)
