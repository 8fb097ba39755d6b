# ruff: noqa: E501 - a case is one line: a rule, and what is said of it
"""Settings that can never matter are said, each at its place, as far as they can be seen without traffic."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.differential.traces import requests
from tests.support.harness import ALWAYS, ERRORS, NEVER, Harness, sampling
from tests.support.stores import any_store as every_store  # noqa: F401 - a fixture

SLOW: dict[str, object] = {"name": "slow", "type": "latency", "latency": {"threshold_ms": 5}}


def policy(text: str) -> dict[str, Any]:
    """A policy of the name p from its type and block, written as YAML."""
    block = YAML(typ="safe", pure=True).load(text)
    return {"name": "p", "type": next(iter(block)), **block}


ONE_POLICY = [
    ("latency: {threshold_ms: 500, upper_threshold_ms: 100}", "latency.upper_threshold_ms", "100 is not above threshold_ms, 500, so that no trace is sampled"),
    ("latency: {threshold_ms: 500, upper_threshold_ms: 500}", "latency.upper_threshold_ms", "no trace is sampled"),
    ("latency: {upper_threshold_ms: -5}", "latency.upper_threshold_ms", "no trace is sampled"),
    ("latency: {threshold_ms: -1}", "latency.threshold_ms", "is below 0, and no trace takes less than 0 ms"),
    ("latency: {}", "latency.threshold_ms", "is 0 where it is not set"),
    ("numeric_attribute: {key: k, min_value: 5, max_value: 4}", "numeric_attribute.max_value", "no number matches and no trace is sampled"),
    ("numeric_attribute: {key: k, min_value: 5, max_value: 4, invert_match: true}", "numeric_attribute.max_value", "no number matches and every trace is sampled"),
    ("numeric_attribute: {key: '', min_value: 5}", "numeric_attribute.key", "is empty"),
    ("boolean_attribute: {key: ''}", "boolean_attribute.key", "is empty"),
    ("probabilistic: {sampling_percentage: 500}", "probabilistic.sampling_percentage", "500 is more than 100, and samples every trace, as 100 does; expected 0 to 100"),
    ("probabilistic: {sampling_percentage: 100.5}", "probabilistic.sampling_percentage", "100.5 is more than 100"),
    ("probabilistic: {sampling_percentage: 0}", "probabilistic.sampling_percentage", "0 samples no trace"),
    ("probabilistic: {sampling_percentage: -1}", "probabilistic.sampling_percentage", "-1 samples no trace"),
    ("probabilistic: {}", "probabilistic.sampling_percentage", "is 0 where it is not set"),
    ("status_code: {status_codes: [ERROR, ERROR]}", "status_code.status_codes[1]", "'ERROR' stands here twice"),
    ("status_code: {status_codes: [ERROR, OK, UNSET]}", "status_code.status_codes", "every trace is sampled"),
    ("string_attribute: {key: '', values: [a]}", "string_attribute.key", "is empty"),
    ("string_attribute: {key: k, values: []}", "string_attribute.values", "nothing matches"),
    ("string_attribute: {key: k}", "string_attribute.values", "nothing matches"),
    ("string_attribute: {key: k, values: [a, '']}", "string_attribute.values[1]", "an empty text matches nothing"),
    ("string_attribute: {key: k, values: [a, ''], enabled_regex_matching: true}", "string_attribute.values[1]", "an empty expression matches every text"),
    ("string_attribute: {key: k, values: [a, b, a]}", "string_attribute.values[2]", "'a' stands here twice"),
    ("string_attribute: {key: k, values: ['^a']}", "string_attribute.values[0]", "looks like a regular expression"),
    ("string_attribute: {key: k, values: ['a.*b']}", "string_attribute.values[0]", "set enabled_regex_matching: true"),
    ("string_attribute: {key: k, values: [a], cache_max_size: 5}", "string_attribute.cache_max_size", "means nothing without enabled_regex_matching"),
    ("trace_state: {key: '', values: [a]}", "trace_state.key", "is empty"),
    ("trace_state: {key: k, values: []}", "trace_state.values", "nothing matches"),
    (f"trace_state: {{key: k, values: [{'a' * 255}]}}", "trace_state.values[0]", "longer than a member"),
    ("span_count: {min_spans: 5, max_spans: 4}", "span_count.max_spans", "4 is below 5, so that no trace is sampled"),
    ("span_count: {max_spans: -1}", "span_count.max_spans", "no trace is sampled"),
    ("span_count: {min_spans: 1}", "span_count.min_spans", "every trace is sampled"),
    ("span_count: {}", "span_count.min_spans", "every trace is sampled"),
    ("rate_limiting: {spans_per_second: 0}", "rate_limiting.spans_per_second", "no trace is sampled"),
    ("rate_limiting: {spans_per_second: -5}", "rate_limiting.spans_per_second", "no trace is sampled"),
    ("rate_limiting: {spans_per_second: 0, burst_capacity: 9}", "rate_limiting.spans_per_second", "the first 9 spans after the start"),
    ("rate_limiting: {spans_per_second: 5, burst_capacity: -9}", "rate_limiting.burst_capacity", "counts as 0"),
    ("bytes_limiting: {bytes_per_second: 0}", "bytes_limiting.bytes_per_second", "no trace is sampled"),
    ("span_name: {names: [a, '']}", "span_name.names[1]", "an empty text matches nothing"),
    ("span_name: {names: ['Search$']}", "span_name.names[0]", "looks like a regular expression"),
    ("span_name: {names: [a, a]}", "span_name.names[1]", "stands here twice"),
    ("collection: {names: ['']}", "collection.names[0]", "matches nothing"),
    ("collection: {names: ['tmp_.*']}", "collection.names[0]", "is not a regular expression; * stands for any text"),
    ("collection: {names: ['^tmp']}", "collection.names[0]", "is not a regular expression"),
    ("collection: {names: [a, a]}", "collection.names[1]", "stands here twice"),
    ("collection: {names: [a], database: ''}", "collection.database", "matches nothing"),
    ("milvus_error: {codes: [100, 0]}", "milvus_error.codes[1]", "success"),
    ("milvus_error: {codes: [100, 100]}", "milvus_error.codes[1]", "stands here twice"),
    ("dynamic: {traces_per_second: 1, keys: [a, '']}", "dynamic.keys[1]", "is empty"),
    ("dynamic: {traces_per_second: 1, keys: [a, a]}", "dynamic.keys[1]", "stands here twice"),
    ("not: {not_sub_policy: {type: always_sample}}", "not.not_sub_policy", "samples every trace, so that this policy samples no trace"),
    ("not: {not_sub_policy: {type: probabilistic, probabilistic: {sampling_percentage: 0}}}", "not.not_sub_policy", "samples no trace, so that this policy samples every trace"),
    ("and: {and_sub_policy: [{type: trace_flags}, {type: always_sample}]}", "and.and_sub_policy[1]", "changes nothing here"),
    ("and: {and_sub_policy: [{type: trace_flags}, {type: span_count, span_count: {max_spans: -1}}]}", "and.and_sub_policy[1]", "samples no trace, so that the whole policy samples none"),
    ("drop: {drop_sub_policy: [{type: probabilistic, probabilistic: {sampling_percentage: 0}}]}", "drop.drop_sub_policy[0]", "samples no trace, so that none is dropped"),
    ("composite: {max_total_spans_per_second: 0, composite_sub_policy: [{name: a, type: trace_flags}]}", "composite.max_total_spans_per_second", "leaves no span to a"),
    ("composite: {max_total_spans_per_second: 10}", "composite.composite_sub_policy", "holds no policy"),
    ("composite: {max_total_spans_per_second: 10, composite_sub_policy: [{name: a, type: trace_flags}], rate_allocation: [{policy: b, percent: 5}]}", "composite.rate_allocation[0].policy", "'b' is not a policy of composite_sub_policy, so that this share means nothing; there is a"),
    ("composite: {max_total_spans_per_second: 10, composite_sub_policy: [{name: a, type: trace_flags}], rate_allocation: [{policy: a, percent: 20}, {policy: a, percent: 30}]}", "composite.rate_allocation[1].policy", "has a share already, and the last one counts"),
    ("composite: {max_total_spans_per_second: 10, composite_sub_policy: [{name: a, type: trace_flags}, {name: b, type: trace_flags}], rate_allocation: [{policy: a, percent: 70}, {policy: b, percent: 40}]}", "composite.rate_allocation", "come to 110 %"),
    ("composite: {max_total_spans_per_second: 10, composite_sub_policy: [{name: a, type: trace_flags}], rate_allocation: [{policy: a, percent: -1}]}", "composite.rate_allocation[0].percent", "counts as 0"),
    ("composite: {max_total_spans_per_second: 10, composite_sub_policy: [{name: a, type: trace_flags}, {name: a, type: trace_flags}]}", "composite.composite_sub_policy", "'a' is the name of two policies"),
    ("ottl_condition: {spanevent: ['IsMatch(\"name\", \"^au:\")']}", "ottl_condition.spanevent[0]", 'IsMatch("name", "^au:") names no path, and so is always false; a path stands without quotes: name'),
    ("ottl_condition: {span: ['true']}", "ottl_condition.span[0]", "true names no path, and so is always true"),
    ("ottl_condition: {span: ['1 == 2']}", "ottl_condition.span[0]", "always false"),
    ("ottl_condition: {span: ['name == \"a\" or \"status.code\" == 2']}", "ottl_condition.span[0]", 'the part "status.code" == 2 names no path, and so is always false; a path stands without quotes: status.code'),
    ("ottl_condition: {span: ['not (Int(\"x\") == 5) and name == \"a\"']}", "ottl_condition.span[0]", 'the part Int("x") == 5 names no path'),
    ("ottl_condition: {span: ['status.code == \"ERROR\"']}", "ottl_condition.span[0]", "always false: status.code is a int64, and never a string; write STATUS_CODE_ERROR"),
    ("ottl_condition: {span: ['kind != \"Server\"']}", "ottl_condition.span[0]", "always true"),
    ("ottl_condition: {span: ['parent_span_id == \"\"']}", "ottl_condition.span[0]", "write IsRootSpan()"),
    ("ottl_condition: {span: ['name == nil']}", "ottl_condition.span[0]", "always false"),
    ("ottl_condition: {span: ['name == \"a\"', 'name == \"a\"']}", "ottl_condition.span[1]", "stands here twice"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "path", "message"), ONE_POLICY, ids=[case[0][:60] for case in ONE_POLICY])
def test_a_setting_that_can_never_matter_is_said(text: str, path: str, message: str) -> None:
    notes = [note for note in sampling(ERRORS, policy(text)).notes() if note.startswith(f"policies[1].{path}: ")]
    assert [note for note in notes if message in note], sampling(ERRORS, policy(text)).notes()


FINE = [
    "latency: {threshold_ms: 0}",
    "latency: {threshold_ms: 5, upper_threshold_ms: 6}",
    "numeric_attribute: {key: k, min_value: 5, max_value: 5}",
    "numeric_attribute: {key: k, min_value: 0.5, max_value: 0.7}",
    "boolean_attribute: {key: k}",
    "probabilistic: {sampling_percentage: 0.001}",
    "probabilistic: {sampling_percentage: 100}",
    "status_code: {status_codes: [ERROR, OK]}",
    "string_attribute: {key: k, values: ['GET /a', 'v1.2', '5$ off', 'a+b']}",
    "string_attribute: {key: k, values: ['^a.*$'], enabled_regex_matching: true, cache_max_size: 5}",
    "trace_state: {key: k, values: [a]}",
    "span_count: {min_spans: 2}",
    "span_count: {max_spans: 2}",
    "rate_limiting: {spans_per_second: 5}",
    "bytes_limiting: {bytes_per_second: 5, burst_capacity: 1}",
    "span_name: {names: [Search, 'GET /users/*', 'milvus.proto.milvus.MilvusService/Search']}",
    "collection: {names: ['tmp_*', 'a?', a-b.c], database: shop}",
    "milvus_error: {}",
    "dynamic: {traces_per_second: 1, keys: [a, b]}",
    "not: {not_sub_policy: {type: trace_flags}}",
    "and: {and_sub_policy: [{type: trace_flags}]}",
    "ottl_condition: {span: ['status.code == 2', 'kind == 2.0', 'name != \"\"', 'Now() - start_time > Duration(\"1h\")', 'IsRootSpan()']}",
    "ottl_condition: {span: ['attributes[\"a\"] == \"status.code\"', 'trace_state[\"a\"] == nil', 'kind.string == \"Server\"']}",
    "ottl_condition: {spanevent: ['name == \"exception\" and span.kind == SPAN_KIND_SERVER']}",
]  # fmt: skip


@pytest.mark.parametrize("text", FINE, ids=[text[:60] for text in FINE])
def test_of_what_can_matter_nothing_is_said(text: str) -> None:
    assert sampling(ERRORS, policy(text)).notes() == []


@pytest.mark.parametrize(
    ("policies", "settings", "note"),
    [
        ([ERRORS], {"decision_wait": "5s", "decision_wait_after_root_received": "5s"}, "decision_wait_after_root_received: 5s is not below decision_wait, 5s, so that it never comes first"),
        ([ERRORS], {"decision_wait": "5s", "decision_wait_after_complete": "6s"}, "decision_wait_after_complete: 6s is not below decision_wait, 5s, so that it never comes first"),
        ([ERRORS], {"max_memory_mib": 1, "maximum_trace_size_bytes": 2_000_000}, "maximum_trace_size_bytes: no trace grows to 2000000 bytes, because max_memory_mib is reached before"),
        ([policy("drop: {drop_sub_policy: [{type: trace_flags}]}")], {}, "policies: only drop policies are here, so that no trace is kept; a trace is kept when a policy of another type samples it"),
        ([NEVER], {}, "policies: no policy here samples a trace, so that nothing is kept"),
        ([ALWAYS, policy("drop: {drop_sub_policy: [{type: always_sample}]}")], {}, "policies[1]: drops every trace, whatever other policies say, so that nothing is kept"),
        ([ALWAYS, ERRORS], {"sample_on_first_match": True}, "policies[1]: 'errors' is never asked: 'everything' in front of it samples every trace"),
        ([ALWAYS, ERRORS], {}, "policies[1]: 'errors' never decides: 'everything' in front of it samples every trace"),
        ([ERRORS, ERRORS | {"name": "again"}], {}, "policies[1]: 'again' asks the same as 'errors' in front of it, and never decides"),
    ],
)  # fmt: skip
def test_what_the_policies_do_to_each_other_is_said(
    policies: list[dict[str, object]], settings: dict[str, object], note: str
) -> None:
    assert note in sampling(*policies, **settings).notes()


def test_a_shadow_stands_in_nobodys_way_and_behind_everyone() -> None:
    always = policy("always_sample: {}") | {"mode": "shadow"}
    assert sampling(always, ERRORS).notes() == []
    assert sampling(ALWAYS, policy("latency: {threshold_ms: 5}") | {"mode": "shadow"}).notes() == []


def test_policies_with_a_memory_or_of_chance_may_be_there_twice() -> None:
    limits = [policy("rate_limiting: {spans_per_second: 5}") | {"name": name} for name in "ab"]
    assert sampling(ERRORS, *limits).notes() == []


def test_what_stands_inside_of_others_is_said_with_its_whole_path() -> None:
    inner = policy("not: {not_sub_policy: {type: latency, latency: {threshold_ms: 5, upper_threshold_ms: 1}}}")
    notes = sampling(ERRORS, policy("and: {and_sub_policy: []}") | {"and": {"and_sub_policy": [ERRORS, inner]}}).notes()
    path = "policies[1].and.and_sub_policy[1].not.not_sub_policy.latency.upper_threshold_ms: "
    assert [note for note in notes if note.startswith(path)]


@pytest.mark.parametrize("text", [case[0] for case in ONE_POLICY], ids=[case[0][:60] for case in ONE_POLICY])
def test_a_policy_that_is_said_to_sample_everything_or_nothing_does(text: str) -> None:
    """The word of `constant` is what the evaluator says of any traces; so is that of remarks that speak of it."""
    settings = sampling(ERRORS, policy(text))
    constant = settings.policies[1].constant()
    said = " ".join(settings.policies[1].remarks())
    if constant is None:
        # of a composite, or of latency without a threshold, what is said is not of every trace
        assert not re.search(r"that (no|every) trace is sampled|whole policy samples", said)
        return
    harness = Harness(sampling(policy(text)))
    for request in requests(7, 60):
        harness.pipeline.ingest(request)
    harness.pipeline.drain()
    samples = "dropped" if text.startswith("drop") else "sampled"
    assert {decision for decision, _ in harness.snapshot().decisions} == {samples if constant else "not_sampled"}
