import pytest
from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.sampling.policies.drop import Drop

from tests.support.policies import entry, evaluator
from tests.support.spans import span, trace_of

YES = entry("always_sample", name="yes")
NO = entry("probabilistic", {"sampling_percentage": 0}, name="no")


def drop(*sub_policies: dict[str, object]) -> Drop:
    made = evaluator("drop", {"drop_sub_policy": list(sub_policies)})
    assert isinstance(made, Drop)
    return made


def root(*names: str, **settings: object) -> dict[str, object]:
    return entry("span_name", {"names": list(names), "root_only": True, **settings}, name="-".join(names))


@pytest.mark.parametrize(
    ("sub_policies", "decision"),
    [([YES], Decision.DROPPED), ([YES, NO], Decision.NOT_SAMPLED), ([NO, YES], Decision.NOT_SAMPLED)],
    ids=["yes", "yes no", "no yes"],
)
def test_a_trace_is_dropped_when_all_sub_policies_sample_it(
    sub_policies: list[dict[str, object]], decision: Decision
) -> None:
    assert drop(*sub_policies).evaluate(trace_of(span())) is decision


class TestWhatARootSettles:
    def test_a_root_whose_name_matches(self) -> None:
        assert drop(root("heartbeat")).drops_root(b"heartbeat")
        assert not drop(root("heartbeat")).drops_root(b"search")

    def test_all_sub_policies_have_to_match(self) -> None:
        both = drop(root("beat", enabled_regex_matching=True), root("heart", enabled_regex_matching=True))
        assert both.drops_root(b"heartbeat")
        assert not both.drops_root(b"heart")

    @pytest.mark.parametrize(
        "other",
        [YES, root("heartbeat", invert_match=True), entry("span_name", {"names": ["heartbeat"]}, name="any span")],
        ids=["another type", "inverted", "not of the root alone"],
    )
    def test_nothing_where_a_sub_policy_looks_at_more(self, other: dict[str, object]) -> None:
        mixed = drop(root("heartbeat"), other)
        assert not mixed.may_drop_early
        assert not mixed.drops_root(b"heartbeat")

    def test_what_it_settles_is_what_the_whole_trace_gets(self) -> None:
        policy = drop(root("heartbeat"))
        whole = trace_of(span(1, 2, parent=1, name="other"), span(1, 1, name="heartbeat"), span(1, 3, name="orphan"))
        assert policy.evaluate(whole) is Decision.DROPPED
