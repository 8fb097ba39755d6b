"""Requests that came before, or that an earlier process has counted."""

from __future__ import annotations

from milvus_otel_processor.requests.kinds import REPEATED

from tests.support.counted import Counted
from tests.support.enrichment import TRACE_ID, served

OTHER = b"another trace id"


def key(number: int, trace_id: bytes = TRACE_ID) -> bytes:
    return trace_id + number.to_bytes(8, "big")


def test_a_request_that_an_earlier_process_has_counted_is_told_apart() -> None:
    counted = Counted()
    counted.requests.repeats.note(key(1) + key(2))
    for number in (1, 2, 3):
        counted.come(served(number, "Search"))
    counted.decide()
    assert len(counted.records.all) == 1
    assert counted.apart == {REPEATED: 2}
    assert counted.requests.repeats.noted() == key(3)


def test_each_request_is_noted_whenever_it_comes_whether_it_is_plain_to_see_or_late_and_calls_apart_are_too() -> None:
    counted = Counted()
    counted.come(served(1, "Search"))
    counted.decide()
    assert counted.requests.repeats.noted() == b""  # nobody has asked for it
    counted.requests.repeats.note(b"")
    counted.come(served(2, "Search", trace_id=OTHER), served(3, "HasCollection", trace_id=OTHER, parent=9))
    counted.come(served(2, "Search", trace_id=OTHER))
    counted.decide()
    counted.come(served(4, "Query", trace_id=OTHER))
    noted = counted.requests.repeats.noted()
    assert sorted(noted[at : at + 24] for at in range(0, len(noted), 24)) == [
        key(number, OTHER) for number in (2, 2, 3, 4)
    ]
    assert counted.requests.repeats.noted() == b""


def test_what_an_earlier_process_has_counted_and_is_sent_again_is_known_although_its_first_copy_has_left_the_disk() -> (
    None
):
    counted = Counted()
    counted.requests.repeats.note(key(1))
    counted.sent(served(1, "Search"))  # recovered, with what was noted
    assert counted.requests.repeats.noted() == b""
    counted.requests.repeats.note(b"")
    counted.sent(served(1, "Search"))
    assert counted.requests.repeats.noted() == key(1)  # it is in another request on disk now
    assert not counted.records.all
    assert counted.apart == {REPEATED: 2}


def test_when_what_an_earlier_process_counted_is_gone_from_the_disk_and_did_not_come_it_is_forgotten() -> None:
    counted = Counted()
    counted.requests.repeats.note(key(1))
    counted.requests.repeats.note(b"")
    counted.sent(served(1, "Search"))
    assert len(counted.records.all) == 1
    assert not counted.apart
