"""`adjusted_counts`: what a kept span counts for, in its trace state."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest
from milvus_otel_processor.sampling.adjusted_counts import read_incoming, set_threshold
from milvus_otel_processor.sampling.thresholds import ALWAYS, UNKNOWN, of_probability, of_text, probability
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from pydantic import ValidationError

from tests.support.harness import ALWAYS as EVERYTHING
from tests.support.harness import ERRORS, Harness, assert_accounted, sampling
from tests.support.policies import entry
from tests.support.spans import attributes_of, span, trace_of, with_more

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

HALF, TENTH = of_probability(0.5), of_probability(0.1)


def carrying(trace_state: str, number: int = 1, trace: int = 1, **fields: object) -> Span:
    found = span(trace, number, **fields)  # type: ignore[arg-type]
    found.trace_state = trace_state
    return found


def with_threshold(one: Span, threshold: int) -> bytes:
    """The span as it is exported; as it came where its trace state is not valid."""
    trace = trace_of(one)
    before = trace.spans[0]
    invalid = set_threshold(trace, threshold)
    assert not invalid or trace.spans[0] == before
    return trace.spans[0]


def rewritten(trace_state: str, threshold: int) -> str:
    return Span.FromString(with_threshold(carrying(trace_state), threshold)).trace_state


def is_refused(trace_state: str) -> bool:
    return set_threshold(trace_of(carrying(trace_state)), HALF) == 1


def probabilistic(percent: float, name: str = "share", **settings: object) -> dict[str, object]:
    return entry("probabilistic", {"sampling_percentage": percent, **settings}, name)


def both(*policies: Mapping[str, object], name: str = "both") -> dict[str, object]:
    return entry("and", {"and_sub_policy": list(policies)}, name)


class TestTraceState:
    @pytest.mark.parametrize(
        ("before", "threshold", "after"),
        [
            ("", ALWAYS, "ot=th:0"),
            ("", HALF, "ot=th:8"),
            ("", TENTH, "ot=th:e6666666666666"),
            ("ot=th:0", HALF, "ot=th:8"),
            ("ot=rv:abcdefabcdefab", HALF, "ot=rv:abcdefabcdefab;th:8"),
            ("ot=th:4;rv:abcdefabcdefab;xx:y", HALF, "ot=rv:abcdefabcdefab;th:8;xx:y"),
            ("ot=rv:abcdefabcdefab;rv:0123456789abcd", HALF, "ot=rv:0123456789abcd;th:8"),
            ("ot=xx:y", HALF, "ot=th:8;xx:y"),
            ("congo=t61,rojo=1", HALF, "ot=th:8,congo=t61,rojo=1"),
            ("congo=t61, ot=th:4 ,rojo=1", HALF, "ot=th:8,congo=t61,rojo=1"),
        ],
    )
    def test_the_threshold_is_written_in_front(self, before: str, threshold: int, after: str) -> None:
        assert rewritten(before, threshold) == after

    @pytest.mark.parametrize("before", ["ot=th:8", "ot=th:c", "ot=th:ffffffffffffff", "x=1,ot=rv:abcdefabcdefab;th:9"])
    def test_a_threshold_that_is_there_is_never_lowered(self, before: str) -> None:
        unchanged = carrying(before)
        assert with_threshold(unchanged, HALF) == unchanged.SerializeToString()

    @pytest.mark.parametrize(
        ("before", "after"),
        [("", ""), ("ot=th:8", ""), ("ot=th:8,a=b", "a=b"), ("ot=rv:abcdefabcdefab;th:8", "ot=rv:abcdefabcdefab")],
    )
    def test_an_unknown_probability_takes_away_what_was_said(self, before: str, after: str) -> None:
        assert rewritten(before, UNKNOWN) == after

    def test_all_that_is_there_stays_as_it_was_before_what_is_appended(self) -> None:
        trace = with_more(trace_of(carrying("congo=t61", attributes={"a": 1})), b"\xf8\x07\x01")  # a field of tomorrow
        before = trace.spans[0]
        assert set_threshold(trace, HALF) == 0
        after = trace.spans[0]
        assert after.startswith(before)
        assert Span.FromString(after).attributes == Span.FromString(before).attributes

    @pytest.mark.parametrize(
        "trace_state",
        [
            "no member",
            "UPPER=1",
            "a=1,a=2",
            "ot=",
            "ot=th",
            "ot=th:",
            "ot=th:xyz",
            "ot=th:123456789abcdef",
            "ot=rv:12",
            "ot=th:8;",
            "ot=TH:8",
            "ot=x:" + "y" * 260,
            "größe=1",
        ],
    )
    def test_what_is_not_valid_is_not_rewritten(self, trace_state: str) -> None:
        assert is_refused(trace_state)

    def test_a_full_ot_member_is_not_rewritten(self) -> None:
        assert is_refused("ot=x:" + "y" * 250)

    def test_in_a_full_trace_state_the_last_member_makes_room(self) -> None:
        members = [f"k{number}=v" for number in range(32)]
        assert rewritten(",".join(members), HALF) == ",".join(["ot=th:8", *members[:31]])
        members[5] = "ot=th:0"
        assert rewritten(",".join(members), HALF).count("=") == 32


class TestIncoming:
    def incoming(self, *trace_states: str) -> tuple[int | None, int]:
        trace = trace_of(*(carrying(state, number + 1) for number, state in enumerate(trace_states)))
        read_incoming(trace)
        return trace.randomness, trace.incoming_threshold

    def test_without_rv_and_th_there_is_no_random_number(self) -> None:
        assert self.incoming() == self.incoming("") == self.incoming("a=b", "ot=xx:y", "not an ot=th:8") == (None, 0)

    def test_rv_is_the_random_number(self) -> None:
        assert self.incoming("", "ot=rv:0000000000000a", "ot=th:0") == (10, 0)

    def test_with_th_alone_the_random_number_is_in_the_trace_id(self) -> None:
        assert self.incoming("ot=th:8") == (1, HALF)  # trace id 1

    def test_the_highest_th_counts(self) -> None:
        assert self.incoming("ot=th:4", "ot=th:8", "ot=th:0")[1] == HALF

    def test_the_order_of_the_spans_changes_nothing(self) -> None:
        states = ["ot=rv:0000000000000b", "ot=rv:0000000000000a", "ot=th:8"]
        assert self.incoming(*states) == self.incoming(*states[::-1])


def thresholds(
    *policies: Mapping[str, object], of: list[Span] | None = None, **settings: object
) -> Callable[[int], str]:
    """A function that says the trace state of a kept trace with this id."""

    def trace_state(number: int) -> str:
        harness = Harness(sampling(*policies, adjusted_counts=True, **settings))
        harness.put(*(of or [span(number)]))
        harness.decide_all()
        (kept,) = harness.exporter.spans
        return Span.FromString(kept).trace_state

    return trace_state


KEPT_BY_HALF, KEPT_BY_TENTH = 7 << 40, 14 << 40  # trace ids, by their hash


class TestWhatCounts:
    def test_the_ids_are_kept_as_their_names_say(self) -> None:
        for number, percents in ((KEPT_BY_HALF, {50}), (KEPT_BY_TENTH, {50, 10})):
            for percent in (50, 10):
                harness = Harness(sampling(probabilistic(percent)))
                harness.put(span(number))
                harness.decide_all()
                assert bool(harness.exporter.spans) == (percent in percents)

    def test_a_rule_without_chance_counts_one(self) -> None:
        assert thresholds(EVERYTHING)(1) == "ot=th:0"

    def test_a_share_counts_the_rest(self) -> None:
        assert thresholds(probabilistic(50))(KEPT_BY_HALF) == "ot=th:8"

    def test_the_greatest_probability_counts_whatever_the_order_and_the_name(self) -> None:
        for policies in (
            [probabilistic(10), probabilistic(50, "half")],
            [probabilistic(50), probabilistic(10, "tenth")],
        ):
            assert thresholds(*policies)(KEPT_BY_TENTH) == "ot=th:8"
            assert thresholds(*policies)(KEPT_BY_HALF) == "ot=th:8"

    def test_a_trace_that_a_rule_keeps_for_certain_counts_one_though_an_earlier_share_names_it(self) -> None:
        failed = [span(KEPT_BY_TENTH, status=Status.STATUS_CODE_ERROR)]
        assert thresholds(probabilistic(10), ERRORS, of=failed)(0) == "ot=th:0"
        assert thresholds(probabilistic(10), ERRORS, of=failed, sample_on_first_match=True)(0) == "ot=th:0"
        assert thresholds(probabilistic(10), ERRORS)(KEPT_BY_TENTH) == "ot=th:e6666666666666"

    def test_of_several_shares_that_all_have_to_keep_it_the_least_counts(self) -> None:
        policy = both(EVERYTHING, probabilistic(50), probabilistic(10, "tenth"))
        assert thresholds(policy)(KEPT_BY_TENTH) == "ot=th:e6666666666666"

    def test_what_a_rate_limit_keeps_counts_for_nobody_knows_how_many(self) -> None:
        limit = entry("rate_limiting", {"spans_per_second": 100}, "limit")
        assert thresholds(limit)(1) == ""
        assert thresholds(limit, of=[carrying("ot=th:8,a=b")])(0) == "a=b"
        assert thresholds(both(limit, probabilistic(50)))(KEPT_BY_HALF) == ""

    def test_what_a_share_keeps_beside_a_rate_limit_counts_by_the_share(self) -> None:
        limit = entry("rate_limiting", {"spans_per_second": 100}, "limit")
        assert thresholds(limit, probabilistic(50))(KEPT_BY_HALF) == "ot=th:8"

    def test_what_came_with_a_lower_probability_keeps_it(self) -> None:
        assert thresholds(EVERYTHING, of=[carrying("ot=th:c")])(0) == "ot=th:c"

    def test_a_trace_with_a_random_number_is_decided_by_it_and_not_by_the_hash_of_its_id(self) -> None:
        above, below = carrying("ot=rv:80000000000000", trace=1), carrying("ot=rv:7fffffffffffff", trace=KEPT_BY_TENTH)
        harness = Harness(sampling(probabilistic(50), adjusted_counts=True))
        harness.put(above, below)
        harness.decide_all()
        assert [Span.FromString(kept).trace_state for kept in harness.exporter.spans] == ["ot=rv:80000000000000;th:8"]

    def test_late_spans_count_like_their_trace(self) -> None:
        harness = Harness(sampling(probabilistic(50), adjusted_counts=True))
        harness.put(span(KEPT_BY_HALF))
        harness.decide_all()
        harness.put(carrying("a=b", 2, KEPT_BY_HALF))
        assert [Span.FromString(kept).trace_state for kept in harness.exporter.spans] == ["ot=th:8", "ot=th:8,a=b"]

    def test_a_trace_state_that_is_not_valid_is_left_and_counted(self) -> None:
        harness = Harness(sampling(EVERYTHING, adjusted_counts=True))
        harness.put(carrying("not valid"), span(1, 2))
        harness.decide_all()
        assert [Span.FromString(kept).trace_state for kept in harness.exporter.spans] == ["not valid", "ot=th:0"]
        assert harness.snapshot().invalid_trace_states == 1
        assert_accounted(harness.snapshot())

    def test_without_the_setting_nothing_is_written(self) -> None:
        before = carrying("ot=th:8")
        harness = Harness(sampling(EVERYTHING))
        harness.put(before)
        harness.decide_all()
        (kept,) = harness.exporter.spans
        assert Span.FromString(kept).trace_state == "ot=th:8"
        assert kept.startswith(before.SerializeToString())
        assert set(attributes_of(kept)) == {"tailsampling.policy"}


class TestSettings:
    @pytest.mark.parametrize(
        ("policies", "said"),
        [
            ([probabilistic(10), probabilistic(20, "b", hash_salt="x")], "a different hash_salt"),
            ([probabilistic(10), both(EVERYTHING, probabilistic(20, hash_salt="x"))], "a different hash_salt"),
            (
                [EVERYTHING, entry("drop", {"drop_sub_policy": [probabilistic(90)]})],
                "probabilistic 'share' inside of drop",
            ),
            ([entry("not", {"not_sub_policy": probabilistic(90)})], "probabilistic 'share' inside of not"),
            (
                [EVERYTHING, entry("drop", {"drop_sub_policy": [entry("rate_limiting", {"spans_per_second": 1})]})],
                "rate_limiting 'policy' inside of drop",
            ),
        ],
    )
    def test_rules_whose_probability_cannot_be_told_are_refused(
        self, policies: list[dict[str, object]], said: str
    ) -> None:
        with pytest.raises(ValidationError, match=said):
            sampling(*policies, adjusted_counts=True)
        sampling(*policies)

    def test_a_shadow_keeps_nothing_and_so_may_leave_to_chance_what_it_likes(self) -> None:
        assert sampling(
            probabilistic(10), {**probabilistic(20, "b", hash_salt="x"), "mode": "shadow"}, adjusted_counts=True
        )

    def test_a_dynamic_policy_has_to_be_asked_about_every_trace(self) -> None:
        dynamic = entry("dynamic", {"traces_per_second": 1, "keys": ["a"]}, "budget")
        with pytest.raises(ValidationError, match="dynamic 'budget' has to be asked about every trace"):
            sampling(ERRORS, dynamic, adjusted_counts=True, sample_on_first_match=True)


class TestEstimate:
    """Kept spans, each counted as many times as it says, are as many as there were."""

    TRACES = 16_000

    @pytest.fixture(autouse=True)
    def every_store(self) -> None:
        """One store is enough: it has no part in what comes out."""

    def estimated(
        self, *policies: Mapping[str, object], head: Callable[[int], str] = lambda _: ""
    ) -> dict[str, tuple[int, float, float]]:
        """For each kind of trace how many there were, how many that are by estimate, and its standard deviation."""
        random = Random(11)
        harness = Harness(sampling(*policies, adjusted_counts=True, decision_wait="1s", num_traces=100_000))
        arrived = {"fast": 0, "slow": 0, "failed": 0}
        for _ in range(self.TRACES):
            kind = random.choices(["fast", "slow", "failed"], [80, 15, 5])[0]
            one = span(
                name=kind,
                end_ms=2000 if kind == "slow" else 1,
                status=Status.STATUS_CODE_ERROR if kind == "failed" else Status.STATUS_CODE_UNSET,
                attributes={"kind": kind},
            )
            one.trace_id = random.randbytes(16)
            arrived[kind] += 1
            state = head(int.from_bytes(one.trace_id[9:], "big"))
            if state == "dropped":
                continue
            one.trace_state = state
            harness.put(one)
            harness.advance(0.001)
        harness.decide_all()
        estimate = dict.fromkeys(arrived, 0.0)
        variance = dict.fromkeys(arrived, 0.0)
        for serialized in harness.exporter.spans:
            kept = Span.FromString(serialized)
            threshold = of_text(kept.trace_state.partition("th:")[2].encode())
            if threshold is not None:
                chance = probability(threshold)
                estimate[kept.name] += 1 / chance
                variance[kept.name] += (1 - chance) / chance**2
        return {kind: (arrived[kind], estimate[kind], variance[kind] ** 0.5) for kind in arrived}

    def assert_unbiased(self, estimated: dict[str, tuple[int, float, float]]) -> None:
        for kind, (arrived, estimate, deviation) in estimated.items():
            assert abs(estimate - arrived) <= 4 * deviation + 1e-6, (kind, arrived, estimate, deviation)

    def slow(self, percent: float) -> dict[str, object]:
        return both(entry("latency", {"threshold_ms": 1000}), probabilistic(percent), name="slow")

    def test_of_one_share(self) -> None:
        self.assert_unbiased(self.estimated(probabilistic(10)))

    def test_of_rules_that_overlap_in_any_order(self) -> None:
        rules = [probabilistic(5), ERRORS, self.slow(30), both(ERRORS, probabilistic(50), name="half of errors")]
        for policies in (rules, rules[::-1]):
            estimated = self.estimated(*policies)
            self.assert_unbiased(estimated)
            assert estimated["failed"][2] == 0  # all of them kept, for certain

    def test_of_a_share_beside_a_rate_limit(self) -> None:
        limit = entry("rate_limiting", {"spans_per_second": 50}, "limit")
        self.assert_unbiased(self.estimated(limit, probabilistic(10)))

    def test_of_a_budget_by_key(self) -> None:
        budget = entry("dynamic", {"traces_per_second": 100, "keys": ["kind"], "adjustment_interval": "2s"}, "budget")
        estimated = self.estimated(budget)
        self.assert_unbiased(estimated)
        assert 0 < estimated["fast"][2] < 0.05 * estimated["fast"][0]

    def test_of_a_budget_beside_shares(self) -> None:
        budget = entry("dynamic", {"traces_per_second": 50, "keys": ["kind"], "adjustment_interval": "2s"}, "budget")
        self.assert_unbiased(self.estimated(self.slow(20), budget, probabilistic(1), ERRORS))

    def test_of_what_was_sampled_before(self) -> None:
        def half_of_all(randomness: int) -> str:
            return "ot=th:8" if randomness >= HALF else "dropped"

        self.assert_unbiased(self.estimated(probabilistic(10), ERRORS, head=half_of_all))
        self.assert_unbiased(self.estimated(probabilistic(80), self.slow(20), head=half_of_all))
        budget = entry("dynamic", {"traces_per_second": 50, "keys": ["kind"], "adjustment_interval": "2s"}, "budget")
        self.assert_unbiased(self.estimated(budget, head=half_of_all))

    def test_a_wrong_count_would_be_found(self) -> None:
        estimated = self.estimated(probabilistic(10))
        wrong = {
            kind: (arrived, 1.15 * estimate, deviation) for kind, (arrived, estimate, deviation) in estimated.items()
        }
        with pytest.raises(AssertionError):
            self.assert_unbiased(wrong)
