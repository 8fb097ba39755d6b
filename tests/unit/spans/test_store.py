"""Traces in the order of their arrival."""

import pytest
from milvus_otel_processor.spans.groups import Group
from milvus_otel_processor.spans.store import Buffer

GROUP = Group(b"", b"")


def put(buffer: Buffer, trace_id: bytes, now: float) -> None:
    buffer.arrivals(now).append(trace_id)
    buffer.entries[trace_id] = [GROUP, b"span of " + trace_id]


def taken(buffer: Buffer, now: float, limit: int = 100) -> list[bytes]:
    return [trace.id for trace in buffer.take_due(now, limit)]


def test_traces_are_due_after_the_wait_the_oldest_first() -> None:
    buffer = Buffer(10.0)
    put(buffer, b"a", 0.0)
    put(buffer, b"b", 5.0)
    assert taken(buffer, 9.99) == []
    assert taken(buffer, 10.0 + buffer.tick) == [b"a"]
    assert taken(buffer, 15.0 + buffer.tick) == [b"b"]
    assert len(buffer) == 0


@pytest.mark.parametrize("wait", [0.0, 0.001, 1.0, 10.0, 3600.0])
def test_no_trace_is_due_before_the_wait_nor_more_than_a_tick_after_it(wait: float) -> None:
    buffer = Buffer(wait)
    now = 0.0
    due = {}
    for number in range(100):
        put(buffer, bytes([number]), now)
        due[bytes([number])] = now + wait
        now += buffer.tick / 7
        for trace_id in taken(buffer, now):
            assert due.pop(trace_id) <= now
        assert all(now <= moment + buffer.tick * 1.0001 for moment in due.values())


def test_a_trace_comes_with_its_spans_in_the_order_of_their_arrival() -> None:
    buffer, other = Buffer(1.0), Group(b"\1", b"")
    put(buffer, b"a", 0.0)
    buffer.entries[b"a"] += [other, b"second"]
    (trace,) = buffer.take_due(2.0, 1)
    assert (trace.spans, trace.groups) == ([b"span of a", b"second"], [GROUP, other])


def test_a_limit_leaves_the_rest_for_the_next_turn() -> None:
    buffer = Buffer(1.0)
    for trace_id in (b"a", b"b", b"c"):
        put(buffer, trace_id, 0.0)
    assert [taken(buffer, 5.0, 2), taken(buffer, 5.0, 2), taken(buffer, 5.0, 2)] == [[b"a", b"b"], [b"c"], []]


def test_a_hurried_trace_is_due_at_its_own_time_and_once() -> None:
    buffer = Buffer(10.0)
    put(buffer, b"a", 0.0)
    put(buffer, b"b", 0.0)
    buffer.hurry(b"b", 2.0)
    assert taken(buffer, 1.99) == []
    assert taken(buffer, 2.0) == [b"b"]
    assert taken(buffer, 20.0) == [b"a"]


def test_the_oldest_are_taken_before_they_are_due() -> None:
    buffer = Buffer(10.0)
    for number, trace_id in enumerate((b"a", b"b", b"c")):
        put(buffer, trace_id, number)
    assert [trace.id for trace in buffer.take_oldest(2)] == [b"a", b"b"]
    assert [trace.id for trace in buffer.take_oldest(2)] == [b"c"]
    assert buffer.take_oldest(2) == []


def test_what_arrives_after_the_oldest_were_taken_has_its_whole_wait() -> None:
    buffer = Buffer(10.0)
    put(buffer, b"a", 0.0)
    buffer.take_oldest(1)
    put(buffer, b"b", buffer.tick / 2)
    assert taken(buffer, 10.0) == []
    assert taken(buffer, 10.0 + 2 * buffer.tick) == [b"b"]
