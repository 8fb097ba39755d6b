"""A trace that no rule wants is one that no rule samples, or drops."""

from __future__ import annotations

import math
from random import Random

import pytest
from milvus_otel_processor.sampling.decision import NOT_SAMPLED
from milvus_otel_processor.sampling.hints.wanted import together
from milvus_otel_processor.sampling.policies import Clock
from milvus_otel_processor.sampling.sampler import Sampler
from milvus_otel_processor.spans.contract import ASK, StoreSettings
from milvus_otel_processor.spans.stores import make_store
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from tests.differential.blocks import blocks
from tests.differential.traces import requests
from tests.support.harness import sampling
from tests.support.spans import any_value, encoded, span
from tests.support.stores import kind
from tests.support.wanted import is_wanted
from tests.unit.sampling.test_explanation import CLOCK, traces

ERRORS: dict[str, object] = {"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}}
SLOW: dict[str, object] = {"name": "slow", "type": "latency", "latency": {"threshold_ms": 50}}
TENTH: dict[str, object] = {"name": "tenth", "type": "probabilistic", "probabilistic": {"sampling_percentage": 10}}
PRODUCTS: dict[str, object] = {
    "name": "products",
    "type": "string_attribute",
    "string_attribute": {"key": "db.collection.name", "values": ["products"]},
}
NAMED: dict[str, object] = {"name": "named", "type": "collection", "collection": {"names": ["products"]}}
FAILED: dict[str, object] = {"name": "failed", "type": "milvus_error"}
ROOTLESS: dict[str, object] = {
    "name": "rootless",
    "type": "span_name",
    "span_name": {"names": ["^"], "enabled_regex_matching": True, "root_only": True, "invert_match": True},
}
LIMIT: dict[str, object] = {"name": "limit", "type": "rate_limiting", "rate_limiting": {"spans_per_second": 5}}
REST: dict[str, object] = {"name": "rest", "type": "always_sample"}


def test_what_no_rule_wants_no_rule_samples() -> None:
    """Over the differential test's traces, with its blocks and with each of its policies alone."""
    all_at_once = b"".join(requests(7, 100))
    unwanted = 0
    several = list(blocks(13, 40))
    alone = [[policy] for block in several for policy in block]
    all_blocks: list[list[dict[str, object]]] = [*several, *alone, [ERRORS, SLOW, TENTH, PRODUCTS, NAMED, FAILED]]
    all_blocks.append([ROOTLESS])
    for block in all_blocks:
        sampler = Sampler(sampling(*block), CLOCK)
        wanted = sampler.wants(roots_are_asked=False)
        both = together(wanted) if wanted is not None else None
        for trace in traces(all_at_once) if both is not None else ():
            assert both is not None
            if not is_wanted(trace, both):
                unwanted += 1
                assert sampler.decide(trace) is NOT_SAMPLED, block
    assert unwanted > 1000


def _bounded(random: Random) -> dict[str, object]:
    """A policy with a memory behind another, or over others."""
    first, second = blocks(random.randrange(1 << 30), 40)[-2:]
    limits: list[dict[str, object]] = [
        {"name": "limit", "type": "rate_limiting", "rate_limiting": {"spans_per_second": 20}},
        {"name": "limit", "type": "bytes_limiting", "bytes_limiting": {"bytes_per_second": 3000}},
        {"name": "limit", "type": "dynamic", "dynamic": {"traces_per_second": 1, "keys": ["root.name"]}},
    ]
    limit = random.choice(limits)
    kept = [one for one in (*first, *second) if one["type"] != "drop"]
    if random.random() < 0.6:
        simple = [one for one in kept if one["type"] not in ("and", "composite")] or [ERRORS]
        subs = [simple[0], limit] if random.random() < 0.8 else [limit, simple[0]]
        return {"name": "bounded", "type": "and", "and": {"and_sub_policy": subs}}
    subs = [one for one in kept if one["type"] != "composite"][:2] or [SLOW]
    settings: dict[str, object] = {"max_total_spans_per_second": 30, "composite_sub_policy": subs}
    return {"name": "bounded", "type": "composite", "composite": settings}


def test_what_no_rule_wants_changes_no_memory() -> None:
    """Two samplers with the same limits, one asked about all traces and one about those that are wanted, go on alike."""
    random = Random(5)
    all_at_once = b"".join(requests(7, 60))
    unwanted = limited = 0
    for number in range(150):
        block = [_bounded(random), TENTH] if number % 3 else [_bounded(random)]
        now = [0.0]
        clock = Clock(lambda now=now: now[0], lambda now=now: int(now[0] * 1e9))  # type: ignore[misc]
        sees_all, sees_wanted = (Sampler(sampling(*block), clock) for _ in range(2))
        wanted = sees_all.wants(roots_are_asked=False)
        both = together(wanted) if wanted is not None else None
        if both is None:
            continue
        limited += 1
        for one, other in zip(traces(all_at_once), traces(all_at_once), strict=True):
            now[0] += random.choice((0.0, 0.01, 0.5))
            verdict = sees_all.decide(one)
            if is_wanted(other, both):
                assert sees_wanted.decide(other) == verdict, block
            else:
                unwanted += 1
                assert verdict is NOT_SAMPLED, block
    assert limited > 30
    assert unwanted > 1000


TIMED = [
    'end_time - start_time > Duration("{ms}ms")',
    'end_time - start_time >= Duration("{ms}ms")',
    "end_time_unix_nano - start_time_unix_nano > {ms}000000",
    "end_time_unix_nano - start_time_unix_nano == {ms}000000",
    'IsRootSpan() and span.end_time - span.start_time > Duration("{ms}ms")',
    'end_time - start_time > Duration("{ms}ms") or status.code == STATUS_CODE_ERROR',
    'end_time - start_time < Duration("{ms}ms")',
    'end_time - start_time != Duration("{ms}ms")',
    'start_time - end_time > Duration("{ms}ms")',
    "end_time_unix_nano - start_time_unix_nano >= {ms}000000.5",
    'attributes["n"] > {ms}',
    'attributes["n"] >= {ms} and kind == 1',
    'attributes["n"] != {ms}',
    'attributes["n"] == {ms}',
    'attributes["n"] < {ms}',
    "status.code == 1",
    "status.code != 1",
]
"""Conditions over times and numbers."""
MOMENTS = (
    0,
    1,
    999_999,
    1_000_000,
    5_000_000,
    5_000_001,
    6_000_000,
    (1 << 63) - 1,
    1 << 63,
    (1 << 63) + 5,
    (1 << 64) - 1,
)
NUMBERS = (0, 1, 5, 5.0, 5.5, -3, 2**53, 2**53 + 1, math.nan, math.inf, True, "5", [5], None)


def _rule(random: Random) -> dict[str, object]:
    milliseconds = random.choice((0, 1, 5, 6))
    about = random.choice(
        ("ottl_condition", "ottl_condition", "latency", "milvus_latency", "span_count", "numeric", "boolean")
    )
    bounds: dict[str, object] = {
        "threshold_ms": random.choice((-2, -1, 0, 1, 5)),
        "upper_threshold_ms": random.choice((0, 0, 1, 5, 6)),
    }
    settings: dict[str, dict[str, object]] = {
        "ottl_condition": {"span": [random.choice(TIMED).format(ms=milliseconds)]},
        "latency": bounds,
        "milvus_latency": bounds,
        "span_count": {"min_spans": random.choice((0, 2, 3)), "max_spans": random.choice((0, 2, 4))},
        "numeric": {
            "key": "n",
            random.choice(("min_value", "max_value")): random.choice((0, 5, 5.5, 2**53 + 1, 10**400)),
        },
        "boolean": {"key": "n", "value": random.random() < 0.5},
    }
    type_ = f"{about}_attribute" if about in ("numeric", "boolean") else about
    return {"name": "rule", "type": type_, type_: settings[about]}


def _trace(random: Random, number: int) -> bytes:
    spans = []
    for place in range(random.choice((1, 1, 2, 3, 5))):
        status, name = random.choice((0, 0, 1, 2)), "milvus.proto.milvus.MilvusService/Search"
        made = span(number, place + 1, random.choice((0, 1)), name=name, status=status)
        made.start_time_unix_nano, made.end_time_unix_nano = random.choice(MOMENTS), random.choice(MOMENTS)
        value = random.choice(NUMBERS)
        if value is not None and random.random() < 0.7:
            made.attributes.append(KeyValue(key="n", value=any_value(value)))
        if random.random() < 0.1:
            made.attributes.append(KeyValue(key="n", value=AnyValue()))
        spans.append(made)
    return encoded(*spans)


@pytest.mark.parametrize("seed", range(4))
def test_traces_without_the_times_or_numbers_that_rules_want_are_sampled_by_none(seed: int) -> None:
    random = Random(seed)
    request = b"".join(_trace(random, number) for number in range(1, 60))
    unwanted = 0
    for _ in range(60):
        block = [{**_rule(random), "name": str(place)} for place in range(random.choice((1, 1, 2)))]
        settings = sampling(*block)
        wanted = Sampler(settings, CLOCK).wants(roots_are_asked=False)
        both = together(wanted) if wanted is not None else None
        if both is None:
            continue
        verdicts = {trace.id: Sampler(settings, CLOCK).decide(trace) for trace in traces(request)}
        dropped = {trace.id for trace in traces(request) if not is_wanted(trace, both)}
        assert {verdicts[trace_id] for trace_id in dropped} <= {NOT_SAMPLED}, block
        unwanted += len(dropped)
        store = make_store(kind(), StoreSettings(0.0, not_sampled_cache_size=100), lambda _: ASK)
        store.ingest(request, 0.0)
        taken = store.take_wanted(1.0, 1000, both)
        assert taken.unwanted_spans in (0, sum(len(trace) for trace in traces(request) if trace.id in dropped))
        assert {trace.id for trace in taken.traces} | dropped == verdicts.keys()
    assert unwanted > 100


@pytest.mark.parametrize("policy", [LIMIT, REST], ids=lambda policy: policy["type"])
def test_a_rule_that_may_sample_anything_or_counts_what_it_is_asked_wants_all(policy: dict[str, object]) -> None:
    assert Sampler(sampling(ERRORS, policy), CLOCK).wants(roots_are_asked=False) is None


def test_so_it_is_with_adjusted_counts() -> None:
    assert Sampler(sampling(ERRORS, adjusted_counts=True), CLOCK).wants(roots_are_asked=False) is None
