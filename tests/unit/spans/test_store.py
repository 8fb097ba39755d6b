"""Spans held by trace until their trace is due: what every store does."""

from collections.abc import Callable
from typing import Any

import pytest
from milvus_otel_processor.spans.contract import ASK, Arrived, Store, StoreSettings
from milvus_otel_processor.spans.schema import DecodeError
from milvus_otel_processor.spans.store import ReferenceStore
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support.spans import encoded, request, span, trace_id
from tests.support.wire import delimited

OfRoot = Callable[[bytes], object | None]


def store(wait: float = 10.0, of_root: OfRoot = lambda _: None, **settings: Any) -> Store:
    return ReferenceStore(StoreSettings(wait, **settings), of_root)


def put(into: Store, *spans: Span, now: float = 0.0) -> Arrived:
    return into.ingest(encoded(*spans), now)


def due(waiting: Store, now: float, limit: int = 100) -> list[int]:
    return [trace.id[-1] for trace in waiting.take_due(now, limit)]


class TestDue:
    def test_traces_are_due_after_the_wait_the_oldest_first(self) -> None:
        waiting = store()
        put(waiting, span(1), now=0.0)
        put(waiting, span(2), now=5.0)
        assert due(waiting, 9.99) == []
        assert due(waiting, 10.0 + waiting.tick) == [1]
        assert due(waiting, 15.0 + waiting.tick) == [2]
        assert len(waiting) == 0

    @pytest.mark.parametrize("wait", [0.0, 0.001, 1.0, 10.0, 3600.0])
    def test_no_trace_is_due_before_the_wait_nor_more_than_a_tick_after_it(self, wait: float) -> None:
        waiting, now, moments = store(wait), 0.0, {}
        for number in range(1, 101):
            put(waiting, span(number), now=now)
            moments[number] = now + wait
            now += waiting.tick / 7
            for taken in due(waiting, now):
                assert moments.pop(taken) <= now
            assert all(now <= moment + waiting.tick * 1.0001 for moment in moments.values())

    def test_a_trace_comes_with_its_spans_in_the_order_of_their_arrival(self) -> None:
        waiting, first, second = store(), span(1, 2, parent=1), span(1, 1)
        put(waiting, first)
        waiting.ingest(encoded(second, scope="other"), 1.0)
        (trace,) = waiting.take_due(20.0, 1)
        assert list(trace.spans) == [first.SerializeToString(), second.SerializeToString()]
        assert [group.scope for group in trace.groups] == [
            request(scope=name).resource_spans[0].scope_spans[0].SerializeToString() for name in ("app", "other")
        ]
        assert len(trace) == 2

    def test_a_limit_leaves_the_rest_for_the_next_turn(self) -> None:
        waiting = store(1.0)
        put(waiting, span(1), span(2), span(3))
        assert [due(waiting, 5.0, 2), due(waiting, 5.0, 2), due(waiting, 5.0, 2)] == [[1, 2], [3], []]

    def test_after_its_root_a_trace_is_due_at_its_own_time_and_once(self) -> None:
        waiting = store(wait_after_root=2.0)
        put(waiting, span(1, 2, parent=1), span(2, 1))
        assert due(waiting, 1.99) == []
        assert due(waiting, 2.0) == [2]
        assert due(waiting, 20.0) == [1]

    def test_a_complete_trace_is_due_when_it_is_quiet(self) -> None:
        waiting = store(wait_after_complete=2.0)
        put(waiting, span(1, 1), span(2, 2, parent=1), span(2, 3, parent=7))
        put(waiting, span(1, 2, parent=1), now=1.0)
        assert due(waiting, 2.5) == []  # it has grown since it was looked at
        assert due(waiting, 4.5) == [1]
        assert due(waiting, 10.0 + waiting.tick) == [2]

    def test_a_limit_counts_all_that_is_due_for_whatever_reason(self) -> None:
        waiting = store(1.0, wait_after_root=5.0, wait_after_complete=0.5)
        put(waiting, span(1), span(2), span(3))
        assert [len(due(waiting, 1.1 + waiting.tick, 2)), len(due(waiting, 1.1 + waiting.tick, 2))] == [2, 1]


class TestOldest:
    def test_they_are_taken_before_they_are_due(self) -> None:
        waiting = store()
        for number in (1, 2, 3):
            put(waiting, span(number), now=number)
        assert [trace.id[-1] for trace in waiting.take_oldest(2)] == [1, 2]
        assert [trace.id[-1] for trace in waiting.take_oldest(2)] == [3]
        assert waiting.take_oldest(2) == []

    def test_what_arrives_after_they_were_taken_has_its_whole_wait(self) -> None:
        waiting = store()
        put(waiting, span(1))
        waiting.take_oldest(1)
        put(waiting, span(2), now=waiting.tick / 2)
        assert due(waiting, 10.0) == []
        assert due(waiting, 10.0 + 2 * waiting.tick) == [2]


class TestRoots:
    """What the name of a root span tells."""

    VERDICT = ("dropped", "heartbeats")

    def of_root(self, name: bytes) -> object | None:
        return {b"heartbeat": self.VERDICT, b"perhaps": ASK}.get(name)

    def asking(self, **settings: Any) -> Store:
        return store(of_root=self.of_root, asks_roots=True, not_sampled_cache_size=10, **settings)

    def test_it_settles_the_decision_over_its_trace_and_late_spans_follow(self) -> None:
        waiting = self.asking()
        put(waiting, span(1, 2, parent=1), span(2, 1))
        arrived = put(waiting, span(1, 1, name="heartbeat"), span(1, 3, parent=1), span(3, 1, name="heartbeat"))
        assert list(arrived.early) == [(self.VERDICT, 2, 3)]
        assert arrived.early[0][0] is self.VERDICT
        assert arrived.late_not_sampled == 1
        assert (len(waiting), waiting.spans) == (1, 1)
        assert due(waiting, 20.0) == [2]

    def test_rules_are_asked_about_a_trace_where_a_name_says_so(self) -> None:
        waiting = self.asking()
        put(waiting, span(1, 1, name="perhaps"), span(2, 1, name="other"))
        assert [(trace.id[-1], trace.asked) for trace in waiting.take_due(20.0, 9)] == [(1, True), (2, False)]

    def test_after_a_change_rules_are_asked_about_all_that_waits(self) -> None:
        waiting = self.asking()
        put(waiting, span(1, 1, name="other"))
        waiting.configure(StoreSettings(10.0, asks_roots=True), 1.0)
        put(waiting, span(2, 1, name="other"), now=1.0)
        assert [(trace.id[-1], trace.asked) for trace in waiting.take_due(30.0, 9)] == [(1, True), (2, False)]

    def test_a_name_is_asked_about_once_until_a_change(self) -> None:
        asked: list[bytes] = []
        waiting = store(of_root=asked.append, asks_roots=True)
        put(waiting, span(1, name="a"), span(2, name="a"), span(3, name="b"), span(4, 2, parent=1, name="c"))
        assert asked == [b"a", b"b"]
        waiting.configure(StoreSettings(10.0, asks_roots=True), 1.0)
        put(waiting, span(5, name="a"), now=1.0)
        assert asked == [b"a", b"b", b"a"]

    def test_long_names_are_not_held(self) -> None:
        asked: list[bytes] = []
        waiting = store(of_root=asked.append, asks_roots=True)
        put(waiting, span(1, name="n" * 1025), span(2, name="n" * 1025))
        assert len(asked) == 2


class TestDecisions:
    def test_late_spans_come_with_what_was_remembered(self) -> None:
        waiting = store(sampled_cache_size=1, not_sampled_cache_size=1)
        kept = object()
        waiting.remember(trace_id(1), kept)
        waiting.remember(trace_id(2), None)
        arrived = put(waiting, span(1, 5), span(2, 5), span(3, 5))
        ((remembered, trace),) = arrived.late
        assert remembered is kept
        assert (trace.id, list(trace.spans)) == (trace_id(1), [span(1, 5).SerializeToString()])
        assert (arrived.spans, arrived.late_not_sampled, arrived.refused) == (3, 1, 0)
        assert len(waiting) == 1

    def test_the_oldest_are_forgotten_also_when_less_is_to_be_remembered(self) -> None:
        waiting = store(sampled_cache_size=3, not_sampled_cache_size=1)
        for number in (1, 2, 3, 4):
            waiting.remember(trace_id(number), "kept")
        waiting.configure(StoreSettings(10.0, sampled_cache_size=2), 0.0)
        arrived = put(waiting, *(span(number) for number in (1, 2, 3, 4)))
        assert [trace.id[-1] for _, trace in arrived.late] == [3, 4]


class TestLimits:
    def test_what_waits_is_counted(self) -> None:
        waiting = store()
        spans = [span(1, 1), span(1, 2, parent=1), span(2, 1)]
        put(waiting, *spans)
        size = sum(len(each.SerializeToString()) for each in spans)
        assert (len(waiting), waiting.spans, waiting.size) == (2, 3, size)
        assert waiting.group_size > 0
        assert trace_id(1) in waiting
        assert len(waiting.take(trace_id(1))) == 2
        assert (len(waiting), waiting.spans, waiting.size) == (1, 1, len(spans[2].SerializeToString()))
        assert trace_id(1) not in waiting
        with pytest.raises(KeyError):
            waiting.take(trace_id(1))

    def test_the_traces_that_the_last_request_added_to_are_told(self) -> None:
        waiting = store(tells_touched=True)
        put(waiting, span(1), span(2))
        put(waiting, span(3), span(2, 2), span(3, 2))
        assert [(trace.id[-1], len(trace)) for trace in waiting.touched()] == [(3, 2), (2, 2)]
        assert len(waiting) == 3
        size = len(span(3).SerializeToString()) * 2
        assert waiting.take_larger_than(size) == []
        assert [trace.id[-1] for trace in waiting.take_larger_than(size - 1)] == [3, 2]
        assert waiting.touched() == []

    def test_changed_waits_count_for_what_waits_already(self) -> None:
        waiting = store(100.0)
        put(waiting, span(1))
        waiting.configure(StoreSettings(5.0), 10.0)
        assert due(waiting, 14.9) == []
        assert due(waiting, 15.0) == [1]
        put(waiting, span(2), now=15.0)
        assert due(waiting, 20.0 + waiting.tick) == [2]
        assert waiting.wait == 5.0


class TestRequests:
    @pytest.mark.parametrize("id_", [b"", bytes(16), b"x" * 15, b"x" * 17])
    def test_spans_without_a_valid_trace_id_are_refused_and_the_others_taken(self, id_: bytes) -> None:
        waiting, bad = store(), span(2)
        bad.trace_id = id_
        arrived = put(waiting, span(1), bad, span(3))
        assert (arrived.spans, arrived.refused, len(waiting)) == (3, 1, 2)

    def test_a_malformed_span_stays_with_the_trace_whose_id_it_begins_with(self) -> None:
        waiting = store()
        whole = span(1).SerializeToString()
        scope = delimited(2, whole) + delimited(2, whole + b"\xff") + delimited(2, b"\xff")
        arrived = waiting.ingest(delimited(1, delimited(2, scope)), 0.0)
        assert (arrived.spans, arrived.refused) == (3, 1)
        (trace,) = waiting.take_oldest(1)
        assert len(trace) == 2
        with pytest.raises(DecodeError):
            trace.heads  # noqa: B018 - to look is enough
        assert not trace.complete
        assert list(trace.without_malformed().spans) == [whole]

    def test_a_malformed_request_is_taken_in_not_at_all(self) -> None:
        waiting = store()
        with pytest.raises(DecodeError):
            waiting.ingest(encoded(span(1)) + encoded(span(2))[:-3], 0.0)
        with pytest.raises(DecodeError):
            waiting.ingest(encoded(span(1)) + delimited(1, delimited(1, b"\xff") + delimited(2, b"")), 0.0)
        assert (len(waiting), waiting.spans) == (0, 0)

    def test_traces_are_joined_to_a_request(self) -> None:
        waiting = store()
        put(waiting, span(1), span(2))
        joined = waiting.join(waiting.take_oldest(2))
        assert ExportTraceServiceRequest.FromString(joined) == request(span(1), span(2))
