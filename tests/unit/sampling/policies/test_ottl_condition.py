import pytest
from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.sampling.policies import EvaluationError
from milvus_otel_processor.sampling.sampler import Sampler
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from pydantic import ValidationError

from tests.support.harness import ALWAYS, sampling
from tests.support.policies import entry, evaluator, samples
from tests.support.spans import pairs, span, trace_of

NO_ANSWER = 'attributes["text"] + 1 == 2'


def with_event(number: int, name: str) -> Span:
    made = span(1, number)
    made.events.add(name=name, attributes=pairs({"n": 1}))
    return made


def test_one_condition_that_holds_for_one_span_is_enough() -> None:
    trace = trace_of(span(1, 1, name="a"), span(1, 2, name="b"))
    assert samples(trace, "ottl_condition", {"span": ['name == "x"', 'name == "b"']})
    assert not samples(trace, "ottl_condition", {"span": ['name == "x"', 'name == "c"']})


def test_events_are_asked_about_with_the_span_around_them() -> None:
    trace = trace_of(span(), with_event(2, "retry"), with_event(3, "exception"))
    assert samples(trace, "ottl_condition", {"spanevent": ['name == "exception" and span.name == "request"']})
    assert not samples(trace, "ottl_condition", {"spanevent": ['name == "request"']})


def test_a_span_or_an_event_is_enough_where_both_are_asked_about() -> None:
    settings = {"span": ['name == "x"'], "spanevent": ['name == "retry"']}
    assert samples(trace_of(with_event(1, "retry")), "ottl_condition", settings)
    assert samples(trace_of(span(name="x")), "ottl_condition", settings)
    assert not samples(trace_of(with_event(1, "other")), "ottl_condition", settings)


@pytest.mark.parametrize("mode", ["ignore", "silent", "IGNORE", None])
def test_a_condition_without_an_answer_does_not_hold_and_the_next_is_asked(mode: str | None) -> None:
    settings = {"span": [NO_ANSWER, "true"]} | ({"error_mode": mode} if mode else {})
    assert samples(trace_of(span()), "ottl_condition", settings)


def test_ignored_errors_are_logged_once_for_each_condition(caplog: pytest.LogCaptureFixture) -> None:
    policy = evaluator("ottl_condition", {"span": [NO_ANSWER], "error_mode": "ignore"})
    for _ in range(3):
        policy.evaluate(trace_of(span()))
    assert [record.getMessage() for record in caplog.records] == [
        f"condition {NO_ANSWER} has no answer for a span: cannot calculate nil + int64 (said once)"
    ]


def test_silent_errors_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    assert not samples(trace_of(span()), "ottl_condition", {"span": [NO_ANSWER], "error_mode": "silent"})
    assert not caplog.records


def test_a_propagated_error_takes_the_policy_out_and_no_other() -> None:
    failing = entry("ottl_condition", {"span": [NO_ANSWER, "true"], "error_mode": "propagate"}, "failing")
    with pytest.raises(EvaluationError, match="cannot calculate nil"):
        evaluator("ottl_condition", failing["ottl_condition"]).evaluate(trace_of(span()))  # type: ignore[arg-type]
    sampler = Sampler(sampling(failing, ALWAYS))
    verdict = sampler.decide(trace_of(span()))
    assert (verdict.decision, verdict.policy) == (Decision.SAMPLED, "everything")
    assert sampler.evaluation_errors == {"failing": 1}
    assert Sampler(sampling(failing)).decide(trace_of(span())).decision is Decision.NOT_SAMPLED


def test_a_policy_around_one_without_an_answer_has_none_either() -> None:
    failing = entry("ottl_condition", {"span": [NO_ANSWER], "error_mode": "propagate"})
    for around in (
        entry("not", {"not_sub_policy": failing}),
        entry("and", {"and_sub_policy": [failing]}),
        entry("drop", {"drop_sub_policy": [failing]}),
    ):
        sampler = Sampler(sampling(around))
        assert sampler.decide(trace_of(span())).decision is Decision.NOT_SAMPLED
        assert sum(sampler.evaluation_errors.values()) == 1


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({}, "at least one condition"),
        ({"span": ['nam == "x"']}, "did you mean span.name?"),
        ({"spanevent": ["IsRootSpan()"]}, "IsRootSpan can only be used in span conditions"),
        ({"span": ["true"], "error_mode": "loud"}, "'ignore', 'propagate' or 'silent'"),
    ],
)
def test_what_is_no_condition_is_refused_at_the_start(settings: dict[str, object], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason.replace("?", r"\?")):
        sampling(entry("ottl_condition", settings))
