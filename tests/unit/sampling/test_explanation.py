# ruff: noqa: E501 - a case is one line: a policy, a trace, and why
"""What a policy says of a trace is what it decides, and its reason names what it found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.sampling.policies import Clock
from milvus_otel_processor.sampling.sampler import Sampler
from milvus_otel_processor.spans.contract import ASK, StoreSettings
from milvus_otel_processor.spans.stores import make_store
from ruamel.yaml import YAML

from tests.differential.blocks import blocks
from tests.differential.traces import requests
from tests.support.harness import ALWAYS, ERRORS, drop_roots, sampling
from tests.support.spans import span, trace_of
from tests.support.stores import kind

if TYPE_CHECKING:
    from milvus_otel_processor.spans.contract import Trace

CLOCK = Clock(lambda: 5.0, lambda: 1_800_000_000 * 10**9)


def traces(request: bytes) -> list[Trace]:
    """The traces of a request, from the store that is tested; nobody has looked at them yet."""
    store = make_store(kind(), StoreSettings(0.0), lambda _: ASK)
    store.ingest(request, 0.0)
    return list(store.take_oldest(len(store)))


def test_what_is_explained_is_what_is_decided() -> None:
    """Over the differential test's traces and blocks, with `sample_on_first_match` and without."""
    all_at_once = b"".join(requests(7, 150))
    reasons = set()
    for number, block in enumerate(blocks(11, 60)):
        settings = sampling(*block, sample_on_first_match=number % 2 == 1)
        decides, explains, alone = (Sampler(settings, CLOCK) for _ in range(3))
        for one, other, third in zip(*(traces(all_at_once) for _ in range(3)), strict=True):
            explanation = explains.explain(other)
            assert explanation.verdict == decides.decide(one), block
            assert len(explanation.policies) == len(block)
            for said, rule in zip(explanation.policies, sorted_rules(alone, settings), strict=True):
                if not rule.stateful:
                    assert said.explanation.decision is rule.explain(third).decision, block
                assert said.explanation.reason
                reasons.add(said.explanation.reason)
    assert len(reasons) > 1000


def sorted_rules(sampler: Sampler, settings: Any) -> list[Any]:
    by_name = {rule.sampled.policy: rule.evaluator for rule in (*sampler._drops, *sampler._keeps)}
    return [by_name[policy.name] for policy in settings.policies]


SEARCH = span(
    name="Search", start_ms=1000, end_ms=1412, status=2, attributes={"tier": "vip", "n": 5, "debug": True, "ratio": 0.5}
)
MILVUS = span(number=2, parent=1, name="query", start_ms=1000, end_ms=1001, attributes={"db.system.name": "milvus", "db.operation.name": "query", "db.collection.name": "products", "db.namespace": "shop", "db.response.status_code": "100"})  # fmt: skip
SAMPLED, NOT_SAMPLED, DROPPED = "sampled", "not_sampled", "dropped"

CASES = [
    ("always_sample: {}", SAMPLED, "samples every trace"),
    ("latency: {threshold_ms: 500}", NOT_SAMPLED, "412 ms, not above 500 ms"),
    ("latency: {threshold_ms: 100}", SAMPLED, "412 ms, above 100 ms"),
    ("latency: {threshold_ms: 100, upper_threshold_ms: 200}", NOT_SAMPLED, "412 ms, above 100 ms and above 200 ms"),
    ("latency: {threshold_ms: 100, upper_threshold_ms: 500}", SAMPLED, "412 ms, above 100 ms and not above 500 ms"),
    ("status_code: {status_codes: [ERROR]}", SAMPLED, "span `Search` (shop) has ERROR"),
    ("status_code: {status_codes: [OK]}", NOT_SAMPLED, "no span has OK"),
    ("string_attribute: {key: tier, values: [vip]}", SAMPLED, 'span `Search` (shop) has `tier`: "vip"'),
    ("string_attribute: {key: tier, values: [gold]}", NOT_SAMPLED, '`tier` has other values: "vip"'),
    ("string_attribute: {key: tenant, values: [gold]}", NOT_SAMPLED, "no span or resource has `tenant`"),
    ("string_attribute: {key: debug, values: ['true']}", NOT_SAMPLED, "`debug` is there, but a boolean"),
    ("string_attribute: {key: service.name, values: [shop]}", SAMPLED, 'the resource of shop has `service.name`: "shop"'),
    ("string_attribute: {key: tier, values: [vip], invert_match: true}", NOT_SAMPLED, 'span `Search` (shop) has `tier`: "vip"'),
    ("numeric_attribute: {key: n, min_value: 5}", SAMPLED, "span `Search` (shop) has `n`: 5"),
    ("numeric_attribute: {key: n, min_value: 6}", NOT_SAMPLED, "`n` has other values: 5"),
    ("numeric_attribute: {key: tier, min_value: 6}", NOT_SAMPLED, "`tier` is there, but a string"),
    ("boolean_attribute: {key: debug, value: true}", SAMPLED, "span `Search` (shop) has `debug`: true"),
    ("boolean_attribute: {key: tier, value: true}", NOT_SAMPLED, "`tier` is there, but a string"),
    ("probabilistic: {sampling_percentage: 0}", NOT_SAMPLED, "sampled up to 0 %"),
    ("probabilistic: {sampling_percentage: 100}", SAMPLED, "sampled up to 100 %"),
    ("span_count: {min_spans: 3}", NOT_SAMPLED, "2 spans, wanted at least 3"),
    ("span_count: {min_spans: 1, max_spans: 5}", SAMPLED, "2 spans, wanted at least 1 and at most 5"),
    ("trace_flags: {}", NOT_SAMPLED, "no span has the flag `sampled`"),
    ("trace_state: {key: vendor, values: [a]}", NOT_SAMPLED, "no trace state has one of the values under `vendor`"),
    ("rate_limiting: {spans_per_second: 5}", SAMPLED, "2 spans, and there is room for them at this rate"),
    ("rate_limiting: {spans_per_second: 0}", NOT_SAMPLED, "2 spans, and there is no room for them at this rate"),
    ("bytes_limiting: {bytes_per_second: 1}", NOT_SAMPLED, "and there is no room for them at this rate"),
    ("span_name: {names: [Search]}", SAMPLED, "the span `Search` matches"),
    ("span_name: {names: [query], root_only: true}", NOT_SAMPLED, "no root span matches: Search"),
    ("collection: {names: [products]}", SAMPLED, "a request is on the collection `products` in `shop`"),
    ("collection: {names: [other]}", NOT_SAMPLED, "requests are on `products` in `shop`"),
    ("milvus_error: {codes: [100]}", SAMPLED, "a Milvus request failed with 100"),
    ("milvus_error: {codes: [8]}", NOT_SAMPLED, "Milvus requests failed with other codes: 100"),
    ("milvus_latency: {threshold_ms: 0}", SAMPLED, "the request query on `products` took 1 ms, above 0 ms"),
    ("milvus_latency: {threshold_ms: 300}", NOT_SAMPLED, "the request query on `products` took 1 ms, not above 300 ms"),
    ("milvus_latency: {threshold_ms: 0, operations: [search]}", NOT_SAMPLED, "none of 1 Milvus request counts by its operation or collection: query"),
    ("milvus_result: {}", NOT_SAMPLED, "no span of a client says how many rows a Milvus request returned"),
    ("dynamic: {traces_per_second: 5, keys: [db.collection.name, root.name]}", SAMPLED, "key products, Search: traces of it are sampled with 100 %"),
    ("ottl_condition: {span: ['kind == 9', 'name == \"Search\"']}", SAMPLED, 'span `Search` (shop): name == "Search"'),
    ("ottl_condition: {span: ['kind == 9']}", NOT_SAMPLED, "no condition holds for 2 spans"),
    ("ottl_condition: {error_mode: propagate, span: ['Int(attributes[\"tier\"]) + 1 > 2']}", NOT_SAMPLED, "has no answer: "),
    ("not: {not_sub_policy: {name: slow, type: latency, latency: {threshold_ms: 500}}}", SAMPLED, "slow does not sample it"),
    ("and: {and_sub_policy: [{name: slow, type: latency, latency: {threshold_ms: 500}}, {type: trace_flags}]}", NOT_SAMPLED, "not sampled by slow, trace_flags"),
    ("drop: {drop_sub_policy: [{type: latency, latency: {threshold_ms: 5}}]}", DROPPED, "sampled by all of its policies"),
    ("composite: {max_total_spans_per_second: 100, composite_sub_policy: [{name: errors, type: status_code, status_code: {status_codes: [ERROR]}}, {name: rest, type: always_sample}], rate_allocation: [{policy: errors, percent: 80}, {policy: rest, percent: 20}]}", SAMPLED, "errors samples it, with 0 of 80 spans used in this second"),
    ("composite: {max_total_spans_per_second: 1, composite_sub_policy: [{name: rest, type: always_sample}]}", NOT_SAMPLED, "no room in the share of rest for 2 spans: 0 of 1 spans used in this second"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "decision", "reason"), CASES, ids=[case[0][:70] for case in CASES])
def test_the_reason_names_what_was_found(text: str, decision: str, reason: str) -> None:
    block = YAML(typ="safe", pure=True).load(text)
    settings = sampling({"name": "p", "type": next(iter(block)), **block})
    trace = trace_of(SEARCH, MILVUS, resource={"service.name": "shop"})
    (said,) = Sampler(settings, CLOCK).explain(trace).policies
    assert (said.name, said.type) == ("p", next(iter(block)))
    assert said.explanation.decision is not None
    assert said.explanation.decision.value == decision
    assert reason in said.explanation.reason


def test_every_type_of_policy_is_among_the_cases() -> None:
    from tests.unit.docs.test_readme import ROWS

    shown = {word.strip("`") for types, _ in ROWS for word in types.split(", ") if ":" not in word}
    assert {case[0].partition(":")[0] for case in CASES} == shown


def test_policies_inside_are_explained_and_those_with_a_memory_are_asked_as_they_are_decided() -> None:
    limit = {"name": "limit", "type": "rate_limiting", "rate_limiting": {"spans_per_second": 1}}
    both = {"name": "both", "type": "and", "and": {"and_sub_policy": [{"name": "flags", "type": "trace_flags"}, limit]}}
    (said,) = Sampler(sampling(both), CLOCK).explain(trace_of(SEARCH)).policies
    (_, flags), (name, limited) = said.explanation.inside
    assert flags.decision is Decision.NOT_SAMPLED
    assert (name, limited.decision, limited.reason) == (
        "limit",
        None,
        "because flags does not sample the trace",
    )


def test_behind_a_drop_or_a_first_match_policies_with_a_memory_are_not_asked() -> None:
    limit = {"name": "limit", "type": "rate_limiting", "rate_limiting": {"spans_per_second": 1}}
    dropped = Sampler(sampling(limit, drop_roots("Search"), ALWAYS), CLOCK).explain(trace_of(SEARCH))
    assert dropped.verdict.policy == "heartbeats"
    assert [said.name for said in dropped.policies] == ["limit", "heartbeats", "everything"]
    assert dropped.policies[0].explanation.reason == "because heartbeats decided before"
    first = Sampler(sampling(ERRORS, limit, sample_on_first_match=True), CLOCK).explain(trace_of(SEARCH))
    assert first.policies[1].explanation.decision is None
    every = Sampler(sampling(ERRORS, limit), CLOCK).explain(trace_of(SEARCH))
    assert every.policies[1].explanation.decision is Decision.SAMPLED


def test_a_shadow_says_what_it_would_have_said() -> None:
    shadow = {"name": "try", "mode": "shadow", "type": "latency", "latency": {"threshold_ms": 5}}
    said = Sampler(sampling(ERRORS, shadow), CLOCK).explain(trace_of(SEARCH)).policies[1]
    assert (said.mode, said.explanation.reason) == ("shadow", "412 ms, above 5 ms")
