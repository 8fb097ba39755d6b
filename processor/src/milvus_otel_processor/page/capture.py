"""`capture`: what comes in, as it comes in, in the files that the Collector would write."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from milvus_otel_processor.page.recent import RecentRequests, Request

_SIZE_BYTES = 4
_MOST_BEHIND = 16 << 20
"""Bytes that may wait for whoever takes them; a capture that falls behind further ends."""
AT_ONCE = 4


class _Followed:
    """The requests from now on, in the order in which they come in, until too many wait."""

    def __init__(self, *, access_log: bool) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue = asyncio.Queue[bytes | None]()
        self._behind = 0
        self._access_log = access_log

    def put(self, request: Request) -> None:
        """Take one over; called by the thread that took it in."""
        if request.is_access_log == self._access_log:
            with suppress(RuntimeError):  # the server has stopped
                self._loop.call_soon_threadsafe(self._put, request)

    def _put(self, request: Request) -> None:
        if self._behind <= _MOST_BEHIND:
            self._behind += len(request.content)
            self._queue.put_nowait(_written(request) if self._behind <= _MOST_BEHIND else None)

    async def next(self, wait: float) -> bytes | None:
        """Return the next, written; None where none came for so many seconds, or too many waited."""
        if wait <= 0:
            return None
        try:
            item = await asyncio.wait_for(self._queue.get(), wait)
        except TimeoutError:
            return None
        self._behind -= len(item or b"")
        return item


async def captured(
    recent: RecentRequests, *, access_log: bool, seconds: float, size: int, past: bool
) -> AsyncIterator[bytes]:
    """Yield the requests with spans, or the lines of the access log, for so long or so many bytes.

    With `past` those that are remembered come first. Spans are as the Collector's file exporter writes them (`format: proto`): each
    request behind its size, four bytes, big endian. Lines are those of the file that they came from.
    """
    followed = _Followed(access_log=access_log)
    until = monotonic() + seconds
    remembered = recent.follow(followed.put)
    try:
        first = (_written(one) for one in remembered if past and one.is_access_log == access_log)
        while (item := next(first, None) or await followed.next(until - monotonic())) is not None:
            size -= len(item)
            if size < 0:
                return
            yield item
            await asyncio.sleep(
                0
            )  # else all that is remembered is written before it can be seen that the peer has left
    finally:
        recent.unfollow(followed.put)


def _written(request: Request) -> bytes:
    if request.is_access_log:
        return b"".join(lines(request.content))
    return len(request.content).to_bytes(_SIZE_BYTES, "big") + request.content


def lines(request: bytes) -> Iterator[bytes]:
    """Yield the lines in a request of the access log, each with its end; a replay joins those that belong together."""
    for resource in ExportLogsServiceRequest.FromString(request).resource_logs:
        for scope in resource.scope_logs:
            for record in scope.log_records:
                if record.body.HasField("string_value"):  # what is no text is no line
                    yield record.body.string_value.rstrip("\n").encode() + b"\n"
