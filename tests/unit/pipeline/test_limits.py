"""What bounds waiting traces beside their number, and what ends their wait early."""

import pytest
from milvus_otel_processor.pipeline.limits import BYTES_PER_SPAN, BYTES_PER_TRACE, Limits, limits_of, memory
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.support.harness import ERRORS, Harness, assert_accounted, drop_roots, sampling
from tests.support.spans import encoded, span

ERROR = Status.STATUS_CODE_ERROR

MIB = 1 << 20


def big(trace: int, size: int, **fields: object) -> Span:
    """A span whose attribute has so many bytes."""
    return span(trace, attributes={"text": "x" * size}, **fields)  # type: ignore[arg-type]


def kept(harness: Harness) -> list[int]:
    """The last byte of the trace id of each span that went out."""
    return [Span.FromString(each).trace_id[-1] for each in harness.exporter.spans]


class TestTooManyTraces:
    """`num_traces`."""

    def test_the_oldest_are_decided_early_by_their_rules(self) -> None:
        harness = Harness(sampling(ERRORS, num_traces=2))
        harness.put(span(1, 1, status=ERROR), span(2, 1))
        harness.put(span(3, 1, status=ERROR), span(4, 1, status=ERROR))
        assert [Span.FromString(kept).trace_id[-1] for kept in harness.exporter.spans] == [1]
        after = harness.snapshot()
        assert after.early_decisions == {"num_traces": 2}
        assert (after.waiting_traces, after.waiting_spans) == (2, 2)
        assert_accounted(after)

    def test_as_many_as_allowed_wait(self) -> None:
        harness = Harness(sampling(num_traces=2))
        harness.put(span(1), span(2))
        assert harness.snapshot().waiting_traces == 2
        assert harness.snapshot().early_decisions == {}

    def test_one_request_may_hold_more_than_fit(self) -> None:
        harness = Harness(sampling(num_traces=2))
        harness.put(*[span(trace) for trace in range(1, 11)])
        assert len(harness.exporter.spans) == 8
        assert harness.snapshot().waiting_traces == 2

    def test_traces_that_arrive_after_an_early_decision_wait_their_time(self) -> None:
        harness = Harness(sampling(num_traces=1, decision_wait=10.0))
        harness.put(span(1))
        harness.put(span(2))
        harness.advance(5)
        harness.put(span(3))
        harness.advance(9.9)
        assert len(harness.exporter.spans) == 2
        harness.advance(0.2 + harness.store.tick)
        assert len(harness.exporter.spans) == 3


class TestMaxMemory:
    """`max_memory_mib`."""

    def test_beyond_it_the_oldest_are_decided_by_their_rules(self) -> None:
        harness = Harness(sampling(ERRORS, max_memory_mib=1))
        harness.put(big(1, 400_000, status=ERROR))
        harness.put(big(2, 400_000, status=ERROR))
        assert kept(harness) == []
        harness.put(big(3, 400_000, status=ERROR))
        assert kept(harness)[:1] == [1]
        assert harness.snapshot().early_decisions["max_memory_mib"] >= 1
        assert_accounted(harness.snapshot())

    @pytest.mark.parametrize("requests", [1, 30])
    def test_what_waits_never_takes_more_whatever_comes(self, requests: int) -> None:
        harness = Harness(sampling(ERRORS, max_memory_mib=1))
        for number in range(requests):
            harness.put(*[big(number * 40 + each + 1, 20_000) for each in range(40)])
            now = harness.snapshot()
            assert memory(now.waiting_traces, now.waiting_spans, now.waiting_bytes) <= MIB
        assert_accounted(harness.snapshot())

    def test_one_trace_larger_than_all_of_it_is_decided_at_once(self) -> None:
        harness = Harness(sampling(ERRORS, max_memory_mib=1))
        harness.put(big(1, 2 * MIB, status=ERROR))
        assert kept(harness) == [1]
        assert harness.snapshot().waiting_traces == 0

    def test_zero_is_no_limit(self) -> None:
        assert limits_of(sampling(max_memory_mib=0)).memory == Limits().memory
        assert limits_of(None) == Limits()

    def test_memory_counts_more_than_the_bytes_of_spans(self) -> None:
        assert memory(2, 3, 1000) == 1000 + 3 * BYTES_PER_SPAN + 2 * BYTES_PER_TRACE


class TestMaximumTraceSize:
    """`maximum_trace_size_bytes`."""

    def test_a_trace_that_grows_beyond_it_is_decided_and_later_spans_follow(self) -> None:
        harness = Harness(sampling(ERRORS, maximum_trace_size_bytes=1000))
        harness.put(big(1, 600, status=ERROR))
        assert kept(harness) == []
        harness.put(big(1, 600))
        assert kept(harness) == [1, 1]
        harness.put(span(1))
        assert kept(harness) == [1, 1, 1]
        after = harness.snapshot()
        assert after.early_decisions == {"maximum_trace_size_bytes": 1}
        assert after.late_spans == {"sampled": 1}
        assert_accounted(after)

    def test_a_trace_of_exactly_that_size_waits(self) -> None:
        spans = [span(1, 1), span(1, 2, parent=1)]
        size = sum(len(each.SerializeToString()) for each in spans)
        waits, decided = (Harness(sampling(maximum_trace_size_bytes=limit)) for limit in (size, size - 1))
        for harness in (waits, decided):
            harness.pipeline.ingest(encoded(*spans))
        assert waits.snapshot().waiting_traces == 1
        assert decided.snapshot().waiting_traces == 0

    def test_others_are_left_alone(self) -> None:
        harness = Harness(sampling(maximum_trace_size_bytes=1000))
        harness.put(big(1, 2000), span(2), span(3))
        assert kept(harness) == [1]
        assert harness.snapshot().waiting_traces == 2


class TestCompleteTraces:
    """`decision_wait_after_complete`."""

    def settled(self, **settings: object) -> Harness:
        return Harness(sampling(ERRORS, decision_wait=30.0, decision_wait_after_complete=2.0, **settings))

    def test_a_complete_trace_does_not_wait_on(self) -> None:
        harness = self.settled()
        harness.put(span(1, 1, status=ERROR), span(1, 2, parent=1))
        harness.advance(2.1)
        harness.advance(2.1)
        assert kept(harness) == [1, 1]
        assert harness.snapshot().waiting_traces == 0

    def test_before_it_was_quiet_for_that_long_it_waits(self) -> None:
        harness = self.settled()
        harness.put(span(1, 1, status=ERROR))
        for number in range(2, 12):
            harness.advance(1.5)
            harness.put(span(1, number, parent=1))
        assert kept(harness) == []
        harness.advance(2.1)
        harness.advance(2.1)
        assert len(kept(harness)) == 11

    def test_a_trace_that_lacks_a_parent_waits_its_time(self) -> None:
        harness = self.settled()
        harness.put(span(1, 1, status=ERROR), span(1, 3, parent=2))
        for _ in range(10):
            harness.advance(2.5)
        assert kept(harness) == []
        harness.decide_all()
        assert kept(harness) == [1, 1]

    def test_where_no_root_comes_the_one_span_without_its_parent_counts_as_such(self) -> None:
        harness = self.settled()
        harness.put(span(1, 2, parent=1, status=ERROR), span(1, 3, parent=2))
        harness.advance(2.1)
        harness.advance(2.1)
        assert kept(harness) == [1, 1]

    def test_a_trace_of_two_loose_parts_waits_its_time(self) -> None:
        harness = self.settled()
        harness.put(span(1, 2, parent=1, status=ERROR), span(1, 4, parent=3))
        harness.advance(10)
        assert kept(harness) == []

    def test_children_before_their_root_count_as_well(self) -> None:
        harness = self.settled()
        harness.put(span(1, 2, parent=1))
        harness.put(span(1, 1, status=ERROR))
        harness.advance(2.1)
        assert kept(harness) == [1, 1]

    def test_a_root_that_is_dropped_at_once_is_not_watched(self) -> None:
        harness = Harness(sampling(drop_roots("beat"), ERRORS, decision_wait_after_complete=2.0))
        harness.put(span(1, 1, name="beat"))
        harness.advance(5)
        assert_accounted(harness.snapshot())
        assert harness.snapshot().decisions[("dropped", "heartbeats")].traces == 1

    def test_late_spans_follow(self) -> None:
        harness = self.settled()
        harness.put(span(1, 1, status=ERROR))
        harness.advance(2.1)
        harness.put(span(1, 2, parent=1))
        assert kept(harness) == [1, 1]
        assert harness.snapshot().late_spans == {"sampled": 1}


class TestSampleOnFirstMatch:
    """`sample_on_first_match`: what is sampled whatever else arrives is decided at once."""

    def test_a_trace_that_an_error_settles_does_not_wait_and_later_spans_follow(self) -> None:
        slow = {"name": "slow", "type": "latency", "latency": {"threshold_ms": 100}}
        harness = Harness(sampling(slow, ERRORS, sample_on_first_match=True))
        harness.put(span(1, 1), span(2, 1))
        assert kept(harness) == []
        harness.put(span(1, 2, parent=1, status=ERROR))
        assert kept(harness) == [1, 1]
        harness.put(span(1, 3, parent=1))
        assert kept(harness) == [1, 1, 1]
        after = harness.snapshot()
        assert after.early_decisions == {"sample_on_first_match": 1}
        assert after.waiting_traces == 1
        assert_accounted(after)

    def test_without_it_every_trace_waits(self) -> None:
        harness = Harness(sampling(ERRORS))
        harness.put(span(1, 1, status=ERROR))
        assert kept(harness) == []

    def test_where_a_rule_may_still_drop_it_waits(self) -> None:
        harness = Harness(sampling(drop_roots("beat"), ERRORS, sample_on_first_match=True))
        harness.put(span(1, 2, parent=1, status=ERROR))
        assert kept(harness) == []
        harness.put(span(1, 1, name="beat"))
        harness.decide_all()
        assert kept(harness) == []

    @pytest.mark.parametrize(
        "undone",
        [
            {"type": "latency", "latency": {"threshold_ms": 0, "upper_threshold_ms": 50}},
            {"type": "span_count", "span_count": {"min_spans": 1, "max_spans": 1}},
            {"type": "span_name", "span_name": {"names": ["other"], "invert_match": True}},
            {"type": "string_attribute", "string_attribute": {"key": "k", "values": ["v"], "invert_match": True}},
            {"type": "not", "not": {"not_sub_policy": ERRORS}},
            {"type": "status_code", "status_code": {"status_codes": ["UNSET"]}},
        ],
        ids=lambda policy: policy["type"],
    )
    def test_what_later_spans_can_undo_waits(self, undone: dict[str, object]) -> None:
        harness = Harness(sampling({"name": "undone", **undone}, sample_on_first_match=True))
        harness.put(span(1, 1, end_ms=10))
        assert kept(harness) == []
        harness.decide_all()
        assert kept(harness) == [1]


def test_traces_that_are_decided_early_for_want_of_memory_say_so_and_no_more_of_them_than_needed() -> None:
    harness = Harness(sampling(decision_wait=3600.0))
    for number in range(1, 201):
        harness.put(span(number))
    harness.pipeline.decide_oldest(lambda: harness.snapshot().waiting_traces > 150)
    after = harness.snapshot()
    assert after.early_decisions == {"memory_limit": 64}
    assert after.waiting_traces == 136
    kept = [Span.FromString(found) for found in harness.exporter.spans]
    assert [found.trace_id[-1] for found in kept] == list(range(1, 65))
    for found in kept:
        assert [one.value.bool_value for one in found.attributes if one.key == "milvus.decision.incomplete"] == [True]
    harness.decide_all()
    assert "milvus.decision.incomplete" not in str(Span.FromString(harness.exporter.spans[-1]))
