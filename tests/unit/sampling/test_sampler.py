"""One decision of many answers."""

from itertools import permutations

import pytest
from milvus_otel_processor.sampling.decision import Decision, Verdict
from milvus_otel_processor.sampling.sampler import Sampler
from milvus_otel_processor.sampling.settings import TailSamplingSettings
from milvus_otel_processor.spans.contract import ASK
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from tests.support.harness import ALWAYS, ERRORS, NEVER, drop_roots, sampling
from tests.support.policies import entry
from tests.support.spans import span, trace_of

FAILED = span(name="heartbeat", status=Status.STATUS_CODE_ERROR)


def verdict(*policies: dict[str, object]) -> tuple[Decision, str | None]:
    found: Verdict = Sampler(sampling(*policies)).decide(trace_of(FAILED))
    return found.decision, found.policy


@pytest.mark.parametrize("policies", list(permutations([drop_roots("heartbeat"), ALWAYS, ERRORS])))
def test_a_drop_wins_wherever_it_stands(policies: tuple[dict[str, object], ...]) -> None:
    assert verdict(*policies) == (Decision.DROPPED, "heartbeats")


def test_a_drop_that_does_not_match_changes_nothing() -> None:
    assert verdict(drop_roots("other"), ALWAYS) == (Decision.SAMPLED, "everything")


def test_the_first_policy_that_samples_gives_its_name() -> None:
    assert verdict(NEVER, ERRORS, ALWAYS) == (Decision.SAMPLED, "errors")
    assert verdict(NEVER, ALWAYS, ERRORS) == (Decision.SAMPLED, "everything")


def test_the_first_drop_gives_its_name() -> None:
    first, second = drop_roots("heartbeat", name="first"), drop_roots("heartbeat", name="second")
    assert verdict(first, second) == (Decision.DROPPED, "first")


def test_where_no_policy_samples_the_trace_is_not_sampled_and_nobody_is_named() -> None:
    assert verdict(NEVER) == (Decision.NOT_SAMPLED, None)
    assert verdict(drop_roots("other")) == (Decision.NOT_SAMPLED, None)


def test_an_inverted_policy_that_says_no_does_not_overrule_another() -> None:
    not_heartbeat = entry("span_name", {"names": ["heartbeat"], "invert_match": True}, "others")
    assert verdict(not_heartbeat, ALWAYS) == (Decision.SAMPLED, "everything")


def votes(*policies: dict[str, object], **settings: object) -> dict[str, int]:
    sampler = Sampler(sampling(*policies, **settings))
    sampler.decide(trace_of(FAILED))
    return dict(sampler.further_votes)


def test_policies_behind_the_one_that_samples_are_asked_how_they_vote() -> None:
    assert votes(ALWAYS, ERRORS, NEVER) == {"errors": 1}
    assert votes(ERRORS, ALWAYS, NEVER, adjusted_counts=True).keys() <= {"everything"}


def test_policies_need_not_be_asked_how_they_vote_but_for_those_with_a_memory() -> None:
    limited = entry("rate_limiting", {"spans_per_second": 1_000_000}, "limited")
    sampler = Sampler(sampling(ALWAYS, ERRORS, limited))
    sampler.counts_votes = False
    sampler.decide(trace_of(FAILED))
    assert dict(sampler.further_votes) == {"limited": 1}


def test_no_policy_is_asked_behind_a_drop_or_where_the_first_match_ends_it() -> None:
    assert votes(drop_roots("heartbeat"), ALWAYS, ERRORS) == {}
    assert votes(ALWAYS, ERRORS, sample_on_first_match=True) == {}


class TestOfRoot:
    BACKGROUND = entry(
        "drop",
        {
            "drop_sub_policy": [
                entry("span_name", {"names": ["Operate"], "root_only": True}),
                entry("string_attribute", {"key": "who", "values": ["milvus"]}),
            ]
        },
        "background",
    )

    def test_a_root_that_is_dropped_settles_the_verdict(self) -> None:
        sampler = Sampler(sampling(ALWAYS, drop_roots("heartbeat")))
        assert sampler.drops_early
        assert sampler.of_root(b"heartbeat") == sampler.decide(trace_of(FAILED))
        assert sampler.of_root(b"search") is None

    def test_nothing_is_settled_where_no_drop_looks_at_roots_alone(self) -> None:
        sampler = Sampler(sampling(ALWAYS, entry("drop", {"drop_sub_policy": [ERRORS]}, "drop errors")))
        assert not sampler.drops_early
        assert sampler.of_root(b"heartbeat") is None

    def test_rules_that_need_more_than_the_name_are_to_be_asked_where_it_matches(self) -> None:
        sampler = Sampler(sampling(drop_roots("heartbeat"), self.BACKGROUND, ALWAYS))
        assert sampler.of_root(b"Operate") == ASK
        assert sampler.of_root(b"search") is None
        assert sampler.of_root(b"heartbeat") == Verdict(Decision.DROPPED, "heartbeats")

    def test_rules_that_need_a_root_of_another_name_are_not_asked(self) -> None:
        sampler = Sampler(sampling(drop_roots("heartbeat"), self.BACKGROUND, ALWAYS))
        operate = span(name="Operate", attributes={"who": "milvus"})
        assert sampler.decide(trace_of(operate)).policy == "background"
        assert sampler.decide(trace_of(operate), roots_were_asked=True).policy == "everything"

    def test_an_inverted_name_is_always_asked(self) -> None:
        others = entry("span_name", {"names": ["search"], "root_only": True, "invert_match": True}, "others")
        sampler = Sampler(sampling(drop_roots("heartbeat"), others))
        assert sampler.decide(trace_of(span(name="query")), roots_were_asked=True).policy == "others"

    def test_a_rule_with_a_memory_is_always_asked(self) -> None:
        limit = entry("rate_limiting", {"spans_per_second": 0, "burst_capacity": 1})
        both = entry(
            "and", {"and_sub_policy": [limit, entry("span_name", {"names": ["a"], "root_only": True})]}, "both"
        )
        sampler = Sampler(sampling(drop_roots("heartbeat"), both))
        # The first uses up the budget, whatever its name: so would the Collector have it.
        assert sampler.decide(trace_of(span(name="b")), roots_were_asked=True).policy is None
        assert sampler.decide(trace_of(span(name="a")), roots_were_asked=False).policy is None


def test_a_name_that_is_there_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="duplicate policy name 'errors'"):
        sampling(ERRORS, ERRORS)


def test_no_policies_are_refused() -> None:
    with pytest.raises(ValueError, match="policies"):
        TailSamplingSettings.model_validate({"policies": []})


class TestPoliciesWithAMemory:
    """The Collector asks all policies, also behind one that samples; of a rate limit that can be told."""

    LIMIT = entry("rate_limiting", {"spans_per_second": 0, "burst_capacity": 1}, "limit")
    ERROR, FINE = span(status=Status.STATUS_CODE_ERROR), span()

    def policies(self, **settings: object) -> list[str | None]:
        sampler = Sampler(sampling(ERRORS, self.LIMIT, **settings))
        return [sampler.decide(trace_of(one)).policy for one in (self.ERROR, self.FINE)]

    def test_a_limit_behind_a_policy_that_samples_is_charged(self) -> None:
        assert self.policies() == ["errors", None]

    def test_with_sample_on_first_match_it_is_not(self) -> None:
        assert self.policies(sample_on_first_match=True) == ["errors", "limit"]

    def test_a_limit_behind_a_drop_that_drops_is_not(self) -> None:
        sampler = Sampler(sampling(drop_roots("heartbeat"), self.LIMIT))
        found = [sampler.decide(trace_of(one)).policy for one in (FAILED, self.FINE)]
        assert found == ["heartbeats", "limit"]

    def test_a_limit_inside_another_policy_is_charged_as_well(self) -> None:
        inside = entry("and", {"and_sub_policy": [entry("always_sample"), self.LIMIT]}, "inside")
        sampler = Sampler(sampling(ERRORS, inside))
        assert [sampler.decide(trace_of(one)).policy for one in (self.ERROR, self.FINE)] == ["errors", None]
