"""What a replay remembers of kept traces is bounded, and counts all of them all the same."""

from __future__ import annotations

from random import Random

from milvus_otel_processor.replay.kept_traces import KeptTraces
from milvus_otel_processor.replay.tallies import Kept, Kind

SEARCH, INSERT = Kind("search", ("shop",)), Kind("insert", ())


def trace_id(number: int) -> bytes:
    return number.to_bytes(16, "big")


def played(held_bytes: int, traces: int = 3000) -> KeptTraces:
    """Two sets of rules, of which the second decides five seconds later and keeps less."""
    random = Random(5)
    found = KeptTraces(2, wait=5.0, held_bytes=held_bytes)
    now, before = found.side(0), found.side(1)
    for number in range(traces + 500):
        if number < traces:
            kept = Kept(random.choice(("slow", "errors")), random.choice((SEARCH, INSERT)))
            now.decided(trace_id(number), kept, number / 100)
            now.put(trace_id(number), 3, 300)
        if number >= 500 and number % 3:
            before.decided(trace_id(number - 500), Kept("all", SEARCH), number / 100)
            before.put(trace_id(number - 500), 2, 200)
    before.decided(trace_id(10**6), Kept("all", INSERT), (traces + 500) / 100)
    found.count_all()
    return found


def sums(found: KeptTraces) -> object:
    return found.volumes, [one.document() for one in found.alone]


def test_what_is_counted_early_is_counted_as_what_is_counted_at_the_end() -> None:
    everything = played(1 << 30)
    assert everything.alone[0].all.traces == 1000
    assert everything.alone[1].all.traces == 1
    assert everything.volumes[1]["all"].spans == 2 * 2000
    bounded = played(1 << 20)  # some 1,600 traces: more than wait for the second set of rules
    assert sums(bounded) == sums(everything)
    assert bounded.unsure == 0


def test_what_had_to_be_counted_before_all_have_decided_is_told() -> None:
    assert played(100_000).unsure > 0


def test_what_is_remembered_stays_within_its_size() -> None:
    found = KeptTraces(held_bytes=50_000)
    for number in range(10_000):
        found.side(0).decided(trace_id(number), Kept("long", Kind("n" * number, ())), 0.0)
        assert found._size <= 50_000
        assert sum(entry.size for entry in found._entries.values()) == found._size
    assert found.side(0).volumes["long"].traces == 10_000


def test_late_spans_are_counted_with_their_trace() -> None:
    found = KeptTraces()
    found.side(0).decided(trace_id(1), Kept("slow", SEARCH), 0.0)
    for _ in range(3):
        found.side(0).put(trace_id(1), 1, 100)
    found.side(0).put(trace_id(2), 1, 100)  # long counted, or never kept
    volume = found.side(0).volumes["slow"]
    assert (volume.traces, volume.spans, volume.bytes) == (1, 3, 300)
