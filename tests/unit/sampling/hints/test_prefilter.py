"""Rules that cannot match are not asked; that none is left out that can is what most of this is about."""

import random

from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.sampling.hints.needles import Needles, literal_of, of_values
from milvus_otel_processor.sampling.hints.prefilter import Candidate, Prefilter
from milvus_otel_processor.sampling.sampler import Sampler
from milvus_otel_processor.spans.contract import Trace

from tests.support.harness import sampling
from tests.support.policies import entry
from tests.support.spans import encoded, span, trace_from, trace_of

LEARNED = 600
"""More looks than it takes to learn what is common."""


def by_key(*names: str) -> list[Candidate[str]]:
    return [Candidate(name, Needles((frozenset((name.encode(),)),))) for name in names]


def holding(*keys: str) -> Trace:
    return trace_of(span(attributes=dict.fromkeys(keys, 1)))


def test_only_rules_whose_text_is_there_remain_in_their_order() -> None:
    prefilter = Prefilter([*by_key("aa", "bb"), Candidate("always", None), *by_key("cc")])
    assert prefilter.rules(holding()) == ["always"]
    assert prefilter.rules(holding("cc", "aa")) == ["aa", "always", "cc"]
    assert prefilter.rules(holding("bb", "x")) == ["bb", "always"]


def test_a_few_rules_are_not_worth_a_look() -> None:
    assert Prefilter(by_key("aa", "bb")).rules(holding()) == ["aa", "bb"]


def test_a_rule_remains_where_a_resource_matches() -> None:
    needles = Needles((frozenset((b"k",)),), lambda group: b"service.name" in group.resource_attributes)
    prefilter = Prefilter([*by_key("aa", "bb", "cc"), Candidate("resource", needles)])
    with_name, without = encoded(span(name="x")), encoded(span(name="x"), resource={})
    assert prefilter.rules(trace_from(with_name)) == ["resource"]
    assert prefilter.rules(trace_from(without)) == []
    assert prefilter.rules(trace_from(without, with_name)) == ["resource"]


def test_what_is_common_is_not_looked_for_any_more() -> None:
    two_sets = Needles((frozenset((b"common",)), frozenset((b"rare",))))
    prefilter = Prefilter([*by_key("aa", "bb", "common"), Candidate("two", two_sets)])
    for _ in range(LEARNED):
        prefilter.rules(holding("common"))
    assert prefilter.rules(holding("common")) == ["common"]  # asked always
    assert prefilter.rules(holding()) == ["common"]
    assert prefilter.rules(holding("rare")) == ["common", "two"]


def test_where_all_is_common_all_rules_are_asked() -> None:
    prefilter = Prefilter(by_key("aa", "bb", "cc"))
    for _ in range(LEARNED):
        prefilter.rules(holding("aa", "bb", "cc"))
    assert prefilter.rules(holding()) == ["aa", "bb", "cc"]


def test_many_policies_decide_as_each_does_alone() -> None:
    chance = random.Random(7)
    texts = ["a", "ab", "b", "ba", "gold", "old", "x"]
    policies = [
        entry(
            "string_attribute",
            {"key": key, "values": chance.sample(texts, 2), "invert_match": key == "k3"},
            f"{key} {n}",
        )
        for n, key in enumerate(["k0", "k1", "k2", "service.name"] * 3)
    ]
    policies += [entry("numeric_attribute", {"key": "n", "min_value": 95}, "n")]
    policies += [entry("ottl_condition", {"span": [f'attributes["k0"] == "{text}"']}, f"o {text}") for text in texts]
    alone = [Sampler(sampling(policy)) for policy in policies]
    together = Sampler(sampling(*policies))
    kept = 0
    for _ in range(2 * LEARNED):
        attributes = {f"k{n}": chance.choice(texts) for n in range(4) if chance.random() < 0.04}
        made = span(attributes={**attributes, "n": chance.randrange(100)})
        service = {"service.name": chance.choice(["gold", *"cdefg"])}
        verdicts = [sampler.decide(trace_of(made, resource=service)) for sampler in alone]
        expected = next((verdict for verdict in verdicts if verdict.decision is Decision.SAMPLED), verdicts[0])
        assert together.decide(trace_of(made, resource=service)) == expected
        kept += expected.decision is Decision.SAMPLED
    assert LEARNED / 10 < kept < LEARNED


def test_an_expression_that_is_a_text_is_seen() -> None:
    assert literal_of("^/admin") == b"/admin"
    assert literal_of(r"db\.name$") == b"db.name"
    for expression in ("a.b", "a*", "ab?", "a|b", "(a)", "[a]", "", "^", r"a\d", "(?i)a", "a{2}"):
        assert literal_of(expression) is None
    assert of_values("k", ["^a", "b"], regex=True) == (frozenset((b"a", b"b")), frozenset((b"k",)))
    assert of_values("k", ["^a", "b+"], regex=True) == (frozenset((b"k",)),)
    assert of_values("k", ["b+", ""], regex=False) == (frozenset((b"b+",)), frozenset((b"k",)))
    assert of_values("k", [], regex=False) == (frozenset((b"k",)),)
