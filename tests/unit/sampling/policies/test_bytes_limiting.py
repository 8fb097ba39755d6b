from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.spans.groups import join, joined_size

from tests.support.clock import Clock
from tests.support.policies import evaluator_at
from tests.support.spans import encoded, span, trace_from, trace_of


def test_as_many_bytes_pass_as_the_trace_has_in_a_request() -> None:
    trace = trace_from(encoded(span(1, 1), span(1, 2)), encoded(span(1, 3), scope="db"))
    size = len(join(zip(trace.groups, trace.spans, strict=True)))
    for capacity, decision in ((size, Decision.SAMPLED), (size - 1, Decision.NOT_SAMPLED)):
        limit = evaluator_at(Clock(), "bytes_limiting", {"bytes_per_second": 1, "burst_capacity": capacity})
        assert limit.evaluate(trace) is decision


def test_the_rate_fills_up_what_was_taken() -> None:
    clock = Clock()
    trace = trace_of(span())
    size = joined_size(zip(trace.groups, trace.spans, strict=True))
    limit = evaluator_at(clock, "bytes_limiting", {"bytes_per_second": size, "burst_capacity": size})
    answers = []
    for seconds in (0, 0, 0.5, 0.5):
        clock.advance(seconds)
        answers.append(limit.evaluate(trace) is Decision.SAMPLED)
    assert answers == [True, False, False, True]


def test_the_size_is_that_of_the_request_whatever_the_lengths() -> None:
    for length in (0, 100, 126, 127, 128, 129, 16_383, 16_384, 100_000):
        trace = trace_of(span(name="x" * length), span(1, 2), resource={"text": "x" * length})
        pairs = list(zip(trace.groups, trace.spans, strict=True))
        assert joined_size(pairs) == len(join(pairs))
    assert joined_size([]) == 0
