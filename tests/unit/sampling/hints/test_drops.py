"""A trace whose root settles that it is dropped, where nothing else is in the way, is one that the rules drop."""

from __future__ import annotations

from random import Random

import pytest
from milvus_otel_processor.config import load_config
from milvus_otel_processor.sampling.decision import Decision, Verdict
from milvus_otel_processor.sampling.sampler import Sampler
from milvus_otel_processor.spans.groups import make_group

from tests.differential.blocks import blocks
from tests.differential.traces import NAMES, SERVICES, requests
from tests.support.harness import sampling
from tests.support.recorded import requests as recorded
from tests.support.wanted import is_wanted
from tests.unit.sampling.test_explanation import CLOCK, traces

Rule = dict[str, object]


def _root(names: list[str]) -> Rule:
    return {"type": "span_name", "span_name": {"root_only": True, "names": names}}


def _service(values: list[str]) -> Rule:
    return {"type": "string_attribute", "string_attribute": {"key": "service.name", "values": values}}


def _rest(random: Random) -> Rule:
    texts: Rule = {"key": random.choice(("text", "service.name")), "values": random.sample(("shop", "店", "42"), 2)}
    inner: list[Rule] = [
        {"type": "status_code", "status_code": {"status_codes": ["ERROR"]}},
        {"type": "latency", "latency": {"threshold_ms": random.choice((1, 20, 100))}},
        {"type": "string_attribute", "string_attribute": texts},
        {"type": "ottl_condition", "ottl_condition": {"span": ['attributes["number"] > 5']}},
    ]
    some = random.choice(inner)
    if random.random() < 0.3:
        return {"type": "string_attribute", "string_attribute": {**texts, "invert_match": True}}
    return {"type": "not", "not": {"not_sub_policy": some}}


def drop(random: Random, number: int) -> Rule:
    """A rule that drops by the name of the root, mostly, and by what else is there."""
    subs = [_root(random.sample(NAMES, random.choice((1, 3))))] if random.random() < 0.85 else []
    subs += [_service(random.sample(SERVICES, 1))] if random.random() < 0.3 else []
    subs += [_rest(random) for _ in range(random.choice((0, 1, 1, 2)))]
    random.shuffle(subs)
    return {"name": f"drop-{number}", "type": "drop", "drop": {"drop_sub_policy": subs or [_root(["Search"])]}}


def test_what_is_sure_is_what_is_decided() -> None:
    random = Random(3)
    all_at_once = b"".join(requests(7, 100))
    sure, other = 0, list(blocks(13, 20))
    for number in range(60):
        drops = [drop(random, place) for place in range(random.choice((1, 2, 3)))]
        sampler = Sampler(sampling(*drops, *other[number % len(other)]), CLOCK)
        found = sampler.drops()
        for trace in traces(all_at_once) if found is not None else ():
            assert found is not None
            roots = trace.root_indexes
            place = found.of_root(trace.heads[roots[0]].name, trace.groups[roots[0]]) if len(roots) == 1 else None
            if place is not None and not is_wanted(trace, found.verdicts[place][1]):
                sure += 1
                assert sampler.decide(trace) == found.verdicts[place][0], drops
    assert sure > 300


def test_the_built_in_rules_settle_most_of_what_they_drop() -> None:
    settings = load_config(None, environ={}).config.tail_sampling
    assert settings is not None
    sampler = Sampler(settings, CLOCK)
    found = sampler.drops()
    assert found is not None
    dropped = sure = 0
    for trace in (trace for request in recorded() for trace in traces(request)):
        verdict = sampler.decide(trace)
        dropped += verdict.decision is Decision.DROPPED
        if len(trace.root_indexes) == 1:
            root = trace.root_indexes[0]
            place = found.of_root(trace.heads[root].name, trace.groups[root])
            if place is not None and not is_wanted(trace, found.verdicts[place][1]):
                sure += 1
                assert found.verdicts[place][0] == verdict
    assert dropped > 100
    assert sure > 0.95 * dropped


@pytest.mark.parametrize(
    "first",
    [
        {"type": "always_sample"},
        {
            "type": "not",
            "not": {"not_sub_policy": {"type": "ottl_condition", "ottl_condition": {"span": ["kind == 1"]}}},
        },
    ],
    ids=["always", "no answer"],
)
def test_a_drop_policy_in_front_that_may_match_leaves_nothing_sure(first: Rule) -> None:
    in_front: Rule = {"name": "first", "type": "drop", "drop": {"drop_sub_policy": [first]}}
    behind: Rule = {"name": "second", "type": "drop", "drop": {"drop_sub_policy": [_root(["a"])]}}
    assert Sampler(sampling(in_front, behind, {"name": "all", "type": "always_sample"}), CLOCK).drops() is None


def test_the_resource_has_to_be_that_of_the_root() -> None:
    drop: Rule = {"name": "drop", "type": "drop", "drop": {"drop_sub_policy": [_root(["a"]), _service(["shop"])]}}
    found = Sampler(sampling(drop, {"name": "all", "type": "always_sample"}), CLOCK).drops()
    assert found is not None
    assert found.verdicts[0][0] == Verdict(Decision.DROPPED, "drop")
    assert found.of_root(b"a", make_group(b"", b"")) is None
