"""The lines that wait: bounded in number and time, each once, whatever the order."""

from __future__ import annotations

from collections import Counter
from threading import Thread

from milvus_otel_processor.enrichment.access_log.line import Line, parse
from milvus_otel_processor.enrichment.access_log.store import Store
from milvus_otel_processor.spans.calls import Call

from tests.support.enrichment import MILLISECOND, START, TRACE_ID, Clock, line


def store(*, max_lines: int = 10, hold: float = 60.0) -> tuple[Store, Clock, Counter[str]]:
    clock, counts = Clock(), Counter[str]()
    held = Store(
        max_lines=max_lines,
        hold=lambda: hold,
        clock=clock,
        counts=counts,
        is_waiting=lambda trace_id: trace_id == TRACE_ID,
    )
    return held, clock, counts


def lines(count: int, *, trace_id: bytes | None = None) -> list[Line]:
    made = []
    for number in range(count):
        of_trace = (trace_id or (number + 1).to_bytes(16, "big")).hex()
        found = parse(line("Search", end=number * MILLISECOND, trace_id=of_trace))
        assert found is not None
        made.append(found)
    return made


def test_a_line_is_found_by_its_trace_until_it_is_too_old() -> None:
    held, clock, _ = store(hold=60.0)
    held.add(lines(1, trace_id=TRACE_ID))
    clock.now += 59.9
    held.add(lines(1))
    assert len(held.of_trace(TRACE_ID)) == 1
    clock.now += 0.1
    held.add(lines(2)[1:])
    assert held.of_trace(TRACE_ID) == []


def test_beyond_the_limit_the_oldest_go_and_are_counted() -> None:
    held, _, counts = store(max_lines=3)
    held.add(lines(5))
    assert len(held) == 3
    assert held.of_trace((1).to_bytes(16, "big")) == []
    assert len(held.of_trace((5).to_bytes(16, "big"))) == 1
    assert counts == {"received": 5, "evicted": 2}


def test_a_line_that_comes_twice_is_held_once() -> None:
    held, _, counts = store()
    held.add(lines(2, trace_id=TRACE_ID))
    held.add(lines(2, trace_id=TRACE_ID))
    assert len(held.of_trace(TRACE_ID)) == len(held) == 2
    assert counts == {"received": 2, "doubled": 2}


def test_two_requests_that_differ_in_nothing_but_their_trace_are_two_lines_and_both_are_forgotten() -> None:
    held, clock, counts = store(hold=60.0)
    made_up = [
        bytes((number, *bytes(5), 0x40, 0, 0x80, *bytes(7))) for number in (1, 2)
    ]  # may be UUIDs of a client's own
    held.add(one for trace_id in made_up for one in lines(1, trace_id=trace_id))
    assert len(held) == 2
    assert [len(held.of_trace(trace_id)) for trace_id in made_up] == [1, 1]
    clock.now += 61
    held.add(lines(1, trace_id=TRACE_ID))
    assert [held.of_trace(trace_id) for trace_id in made_up] == [[], []]
    assert len(held) == 1
    assert counts == {"received": 3}


def test_failures_are_known_by_their_trace_until_the_last_of_them_is_forgotten() -> None:
    held, clock, _ = store(hold=60.0)
    failed = [
        parse(line("Search", end=end, trace_id=TRACE_ID.hex(), code="100", status="Failed")) for end in (0, MILLISECOND)
    ]
    assert all(failed)
    held.add(failed[:1])  # type: ignore[arg-type] # none is None
    clock.now += 30
    held.add(failed[1:])  # type: ignore[arg-type]
    assert TRACE_ID in held._failures
    clock.now += 31
    held.add(lines(1))
    assert TRACE_ID in held._failures
    clock.now += 30
    held.add(lines(2)[1:])
    assert held._failures == {}


def call(method: str = "Search", *, peer: str | None = "tcp-127.0.0.1:5000", number: int = 1, start: int = 0) -> Call:
    """A call of 5.06 ms, of a trace that does not wait."""
    end = START + start + 5_060_000
    return Call(bytes(15) + b"\x01", number.to_bytes(8, "big"), START + start, end, method, peer)


def test_a_line_without_a_trace_id_is_found_by_connection_and_method() -> None:
    held, _, _ = store()
    own = parse(line("Search", trace_id="my request"))
    assert own is not None
    held.add([own])
    assert [one.line for one in held.candidates(call())] == [own]
    assert held.candidates(call("Query", number=2)) == ()
    assert held.candidates(call(peer="tcp-127.0.0.1:5001", number=3)) == ()


def test_a_line_with_an_id_that_a_client_may_have_made_up_is_no_other_trace_s_while_that_waits() -> None:
    made_up = "0123456789ab4def8123456789abcdef"
    held, _, _ = store()
    own = parse(line("Search", trace_id=made_up))
    assert own is not None
    held.add([own])
    assert [one.line for one in held.candidates(call())] == [own]
    own.claimed = True
    assert held.candidates(call(number=2, start=10)) == ()


def test_calls_are_forgotten_in_time_and_in_number() -> None:
    held, clock, _ = store(max_lines=3, hold=10.0)
    held.add([one for one in [parse(line("Search", trace_id=""))] if one is not None])
    held.add_calls([call(number=number) for number in range(1, 6)])
    assert [held._pool.call(number.to_bytes(8, "big")) is not None for number in range(1, 6)] == [
        False,
        False,
        True,
        True,
        True,
    ]
    clock.now += 11
    held.add_calls([call(number=7)])
    assert held._pool.call((5).to_bytes(8, "big")) is None


def test_nothing_is_left_of_lines_that_were_forgotten() -> None:
    held, clock, _ = store(hold=1.0)
    own = parse(line("Search", trace_id="my request"))
    assert own is not None
    held.add([own, *lines(9)])
    clock.now += 2
    held.add(lines(1))
    assert len(held) == 1
    assert (len(held._by_trace), len(held._without_trace), held._pool._connections, held._pool._methods) == (
        1,
        0,
        {},
        {},
    )


def test_threads_that_add_at_once_lose_nothing() -> None:
    held, _, counts = store(max_lines=1000)
    parts = [lines(400)[number::4] for number in range(4)]
    threads = [Thread(target=held.add, args=(part,)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(held) == counts["received"] == 400
