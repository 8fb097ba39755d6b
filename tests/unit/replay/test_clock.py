from __future__ import annotations

from typing import TYPE_CHECKING

from milvus_otel_processor.replay.clock import arrivals
from milvus_otel_processor.replay.recording import Message

if TYPE_CHECKING:
    from collections.abc import Iterator

SECOND = 1_000_000_000


def recording(name: str, *ends: int) -> list[Message]:
    return [Message(b"", end * SECOND, f"{name}{index}") for index, end in enumerate(ends)]


def order(*recordings: list[Message]) -> list[tuple[float, str]]:
    return [(arrival.time_ns / SECOND, arrival.message.place) for arrival in arrivals(recordings)]


def test_a_request_arrives_when_its_latest_span_has_ended() -> None:
    assert order(recording("a", 100, 103, 110)) == [(100, "a0"), (103, "a1"), (110, "a2")]


def test_requests_keep_their_order_and_the_clock_never_runs_backwards() -> None:
    assert order(recording("a", 100, 107, 104, 109)) == [(100, "a0"), (107, "a1"), (107, "a2"), (109, "a3")]


def test_a_request_without_an_end_arrives_with_the_one_before_it() -> None:
    assert order(recording("a", 0, 100, 0, 101)) == [(0, "a0"), (100, "a1"), (100, "a2"), (101, "a3")]


def test_recordings_run_side_by_side() -> None:
    assert order(recording("a", 100, 103), recording("b", 101, 103, 104)) == [
        (100, "a0"),
        (101, "b0"),
        (103, "a1"),
        (103, "b1"),
        (104, "b2"),
    ]


def test_the_parts_of_a_rotated_file_may_be_given_in_any_order() -> None:
    assert order(recording("b", 102, 103), recording("a", 100, 101)) == [
        (100, "a0"),
        (101, "a1"),
        (102, "b0"),
        (103, "b1"),
    ]


def test_nothing_is_read_ahead_of_its_time() -> None:
    taken = []

    def watched() -> Iterator[Message]:
        for message in recording("a", 100, 101, 102):
            taken.append(message.place)
            yield message

    stream = arrivals([watched()])
    next(stream)
    assert taken == ["a0"]


def test_no_recording_has_no_arrivals() -> None:
    assert order() == order([]) == []
