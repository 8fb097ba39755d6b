"""A trace that no rule wants is one that no rule samples, or drops."""

from __future__ import annotations

import pytest
from milvus_otel_processor.sampling.decision import NOT_SAMPLED
from milvus_otel_processor.sampling.hints.wanted import together
from milvus_otel_processor.sampling.sampler import Sampler

from tests.differential.blocks import blocks
from tests.differential.traces import requests
from tests.support.harness import sampling
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


@pytest.mark.parametrize("policy", [LIMIT, REST], ids=lambda policy: policy["type"])
def test_a_rule_that_may_sample_anything_or_counts_what_it_is_asked_wants_all(policy: dict[str, object]) -> None:
    assert Sampler(sampling(ERRORS, policy), CLOCK).wants(roots_are_asked=False) is None


def test_so_it_is_with_adjusted_counts() -> None:
    assert Sampler(sampling(ERRORS, adjusted_counts=True), CLOCK).wants(roots_are_asked=False) is None
