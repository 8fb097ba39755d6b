"""Records that wait for their trace."""

from random import Random

from milvus_otel_processor.logs.held import HeldRecords
from milvus_otel_processor.logs.records import Record
from milvus_otel_processor.spans.groups import Group

from tests.support.spans import trace_id

GROUP = Group(b"", b"")
ONE, OTHER = trace_id(1), trace_id(2)


def records(*texts: bytes) -> list[Record]:
    return [(GROUP, text) for text in texts]


def test_all_of_a_trace_comes_back_in_the_order_of_its_arrival() -> None:
    held = HeldRecords(1.0)
    held.add(ONE, records(b"a", b"b"), 0.0)
    held.add(OTHER, records(b"x"), 0.0)
    held.add(ONE, records(b"c"), 5.0)
    assert (held.records, len(held)) == (4, 2)
    assert held.take(ONE) == records(b"a", b"b", b"c")
    assert (held.records, len(held)) == (1, 1)


def test_those_that_came_before_a_time_are_taken_and_the_others_wait_on() -> None:
    held = HeldRecords(1.0)
    held.add(ONE, records(b"a"), 1.0)
    held.add(ONE, records(b"b"), 2.0)
    held.add(ONE, records(b"c"), 3.0)
    assert held.take_older(ONE, 2.0) == records(b"a", b"b")
    assert held.records == 1
    assert held.take_older(ONE, 3.0) == records(b"c")
    assert (held.records, held.size, len(held)) == (0, 0, 0)


def test_a_trace_has_its_turn_after_each_pause_until_it_is_taken() -> None:
    held = HeldRecords(1.0)
    held.add(ONE, records(b"a"), 0.0)
    held.add(ONE, records(b"b"), 0.5)
    turns = [[one for one, _ in held.turns(now)] for now in (0.9, 1.0, 1.5, 2.0, 2.9)]
    assert turns == [[], [ONE], [], [ONE], []]
    held.take(ONE)
    assert list(held.turns(100.0)) == []


def test_a_trace_that_was_taken_and_came_again_has_one_turn() -> None:
    held = HeldRecords(1.0)
    held.add(OTHER, records(b"x"), 0.0)
    for second in range(3):
        held.add(ONE, records(b"a"), float(second))
        held.take(ONE)
    held.add(ONE, records(b"a"), 3.0)
    assert [one for one, _ in held.turns(50.0)] == [OTHER, ONE]


def test_the_oldest_is_the_one_whose_first_record_came_first() -> None:
    held = HeldRecords(1.0)
    for number in (3, 1, 2):
        held.add(trace_id(number), records(b"a"), float(number))
    held.add(trace_id(3), records(b"b"), 9.0)
    assert held.oldest() == trace_id(3)


def test_what_it_counts_is_what_it_holds_after_any_order_of_calls() -> None:
    random = Random(7)
    for _ in range(50):
        held, there = HeldRecords(1.0), dict[bytes, int]()
        for now in range(60):
            one = trace_id(random.randrange(4))
            if random.random() < 0.6:
                few = records(*(b"x" * random.randrange(9) for _ in range(random.randrange(1, 4))))
                held.add(one, few, float(now))
                there[one] = there.get(one, 0) + len(few)
            elif one in there:
                gone = held.take(one) if random.random() < 0.5 else held.take_older(one, now - 5.0)
                there[one] -= len(gone)
                if not there[one]:
                    del there[one]
            list(held.turns(float(now)))
            assert (held.records, len(held)) == (sum(there.values()), len(there))
        for one in there:
            held.take(one)
        assert (held.records, held.size) == (0, 0)
