"""The recording's clock: when each request arrives."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from milvus_otel_processor.replay.recording import Message


class Arrival(NamedTuple):
    """A request, and when it arrives."""

    time_ns: int
    """Nanoseconds since 1970."""
    message: Message


def arrivals(recordings: Iterable[Iterable[Message]]) -> Iterator[Arrival]:
    """Yield the messages of all recordings with the time at which each arrives, which never runs backwards.

    A recording does not say when a request arrived. No earlier than its latest span ended, and no earlier than the request
    before it in its file: the latest of these is when it arrives here. Of several recordings that one goes on whose next
    request arrives first, so that the parts of a rotated file may be given in any order, and those of several Collectors run
    side by side. A message is not taken from its recording before it is needed.
    """
    heads = (_in_order(recording, index) for index, recording in enumerate(recordings))
    for time_ns, _, message in heapq.merge(*heads, key=lambda head: head[:2]):
        yield Arrival(time_ns, message)


def _in_order(recording: Iterable[Message], index: int) -> Iterator[tuple[int, int, Message]]:
    latest = 0
    for message in recording:
        latest = max(latest, message.latest_end)
        yield latest, index, message
