"""Batches by number and by time, and whether there is room for more."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from milvus_otel_processor.exporter.batch import Batch
from milvus_otel_processor.exporter.queue import SpanQueue
from milvus_otel_processor.exporter.settings import QueueSettings
from milvus_otel_processor.spans.groups import Group
from milvus_otel_processor.spans.trace import ReferenceTrace
from milvus_otel_processor.storage.segments import Place, Segment

from tests.support.clock import Clock

GROUP = Group(b"", b"")
DEADLINE = 20.0


def spans(*names: str) -> ReferenceTrace:
    return ReferenceTrace(bytes(16), [GROUP] * len(names), [name.encode() for name in names])


def taken(waiting: SpanQueue) -> list[str] | None:
    """The names in the next batch."""
    batch = waiting.take()
    return None if batch is None else [span.decode() for trace in batch.traces for span in trace.spans]


def queue(clock: Callable[[], float], size: int = 100, min_size: int = 3) -> SpanQueue:
    batch = {"min_size": min_size, "flush_timeout": 0.25, "max_size_mib": 1}
    return SpanQueue(QueueSettings.model_validate({"queue_size": size, "batch": batch}), clock)


def test_a_batch_goes_out_as_soon_as_enough_spans_are_there() -> None:
    waiting = queue(Clock())
    waiting.put(spans("a", "b"))
    waiting.put(spans("c"))
    assert taken(waiting) == ["a", "b", "c"]


def test_the_spans_of_one_trace_stay_together_even_above_the_size_of_a_batch() -> None:
    waiting = queue(Clock())
    waiting.put(spans("a", "b"))
    waiting.put(spans("c", "d", "e"))
    assert taken(waiting) == ["a", "b", "c", "d", "e"]


def test_a_batch_ends_before_the_trace_that_would_make_it_too_large_for_one_request() -> None:
    waiting = queue(Clock(), min_size=100)
    large = "x" * 400_000
    for name in ("a", "b", "c"):
        waiting.put(spans(name + large))
    waiting.flush()
    assert [[name[0] for name in taken(waiting) or ()] for _ in range(2)] == [["a", "b"], ["c"]]


def test_a_trace_that_is_too_large_for_one_request_is_a_batch_by_itself() -> None:
    waiting = queue(Clock(), min_size=100)
    for name in ("a", "b" * 2_000_000, "c"):
        waiting.put(spans(name))
    waiting.flush()
    assert [[name[0] for name in taken(waiting) or ()] for _ in range(3)] == [["a"], ["b"], ["c"]]


def test_a_smaller_batch_goes_out_when_its_first_span_has_waited_long_enough() -> None:
    clock = Clock()
    waiting = queue(clock)
    waiting.put(spans("a"))
    clock.advance(0.125)
    waiting.put(spans("b"))
    clock.advance(0.125)
    assert taken(waiting) == ["a", "b"]


def test_it_does_not_go_out_before_that() -> None:
    asked = 0

    def times() -> Iterator[float]:
        nonlocal asked
        for now in (0.0, 0.249, 0.2499, 0.25):  # when put; then each time the queue looks whether it is time
            asked += 1
            yield now

    waiting = queue(times().__next__)
    waiting.put(spans("a"))
    assert taken(waiting) == ["a"]
    assert asked == 4


def test_there_is_room_as_long_as_fewer_spans_wait_than_its_size() -> None:
    waiting = queue(Clock(), size=4, min_size=100)
    for name, room in zip("abcde", (True, True, True, True, False), strict=True):
        assert waiting.wait_for_room(0) is room
        waiting.put(spans(name))


def test_what_does_not_ask_for_room_is_taken_too_a_trace_larger_than_the_queue_for_one() -> None:
    waiting = queue(Clock(), size=2)
    assert waiting.put(spans("a", "b", "c"))
    assert waiting.put(spans("d"))
    assert taken(waiting) == ["a", "b", "c"]


def test_spans_under_way_take_up_room_until_they_are_done_with() -> None:
    waiting = queue(Clock(), size=3, min_size=3)
    waiting.put(spans("a", "b", "c"))
    batch = waiting.take()
    assert batch is not None
    assert not waiting.wait_for_room(0)
    with ThreadPoolExecutor(1) as threads:
        waits = threads.submit(waiting.wait_for_room, DEADLINE)
        waiting.done(batch)
        assert waits.result(DEADLINE)


def test_a_closed_queue_takes_nothing_and_gives_out_what_it_has_at_once() -> None:
    waiting = queue(Clock())
    waiting.put(spans("a"))
    waiting.close()
    assert not waiting.put(spans("b"))
    assert taken(waiting) == ["a"]
    assert waiting.take() is None


def test_closing_wakes_every_thread_that_waits() -> None:
    waiting = queue(Clock())
    with ThreadPoolExecutor(3) as threads:
        takers = [threads.submit(waiting.take) for _ in range(3)]
        waiting.close()
        assert [taker.result(DEADLINE) for taker in takers] == [None, None, None]


def test_every_span_is_given_out_once_whatever_the_threads_do() -> None:
    waiting = queue(Clock(), size=10_000, min_size=7)

    def take_all() -> list[bytes]:
        taken: list[bytes] = []
        while (batch := waiting.take()) is not None:
            taken += [span for trace in batch.traces for span in trace.spans]
            waiting.done(batch)
        return taken

    names = [str(number) for number in range(3000)]
    with ThreadPoolExecutor(4) as threads:
        takers = [threads.submit(take_all) for _ in range(4)]
        for name in names:
            assert waiting.put(spans(name))
        waiting.close()
        taken = [span.decode() for taker in takers for span in taker.result(DEADLINE)]
    assert sorted(taken) == sorted(names)


def test_what_is_cleared_is_told_and_gone() -> None:
    waiting = queue(Clock(), size=5)
    waiting.put(spans("a", "b", "c"))
    waiting.put(spans("d", "e"))
    assert not waiting.wait_for_room(0)
    assert sum(batch.spans for batch in waiting.clear()) == 5
    assert waiting.wait_for_room(0)


def on_disk(waiting: SpanQueue, batch: Batch) -> bool:
    return waiting.on_disk(batch, Place(Segment(1, Path("kept")), 4, 1))


def test_what_was_put_is_out_once_it_is_sent_or_on_disk_whatever_comes_behind_it() -> None:
    waiting = queue(Clock(), min_size=2)
    waiting.put(spans("a", "b"))
    before = waiting.position()
    waiting.put(spans("c"))
    assert not waiting.is_out(before)
    first = waiting.take()
    assert first is not None
    assert not waiting.is_out(before)
    assert on_disk(waiting, first)
    assert waiting.is_out(before)
    assert not waiting.is_out(waiting.position())  # c is being gathered
    waiting.done(first)
    assert not on_disk(waiting, first)
    waiting.flush()
    (second,) = waiting.in_memory(older_than=float("inf"))
    assert not waiting.is_out(waiting.position())
    assert on_disk(waiting, second)
    assert waiting.is_out(waiting.position())


def test_what_is_on_disk_and_not_under_way_takes_no_memory_and_no_room() -> None:
    waiting = queue(Clock(), size=2, min_size=2)
    waiting.put(spans("a", "b"))
    assert waiting.bytes > 0
    assert not waiting.wait_for_room(0)
    (batch,) = waiting.in_memory(older_than=float("inf"))
    assert on_disk(waiting, batch)
    assert (waiting.bytes, waiting.wait_for_room(0)) == (0, True)
    assert waiting.take() is batch
    assert (batch.spans, batch.traces) == (2, ())
    waiting.done(batch)
    assert (waiting.bytes, waiting.wait_for_room(0)) == (0, True)


def test_what_is_younger_is_written_down_only_where_the_queue_gets_crowded() -> None:
    clock = Clock()
    waiting = queue(clock, size=10, min_size=2)
    waiting.put(spans("a", "b"))
    assert waiting.in_memory(older_than=clock()) == []
    clock.advance(1)
    assert len(waiting.in_memory(older_than=clock())) == 1
    waiting.put(spans("c", "d"))
    waiting.put(spans("e", "f"))
    assert len(waiting.in_memory(older_than=0.0)) == 3
