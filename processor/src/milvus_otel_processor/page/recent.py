"""The requests of the last minutes as they came, up to a size: what other rules are tried on, and what a capture begins with."""

from __future__ import annotations

from collections import deque
from threading import Lock
from time import time_ns
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

_PER_REQUEST = 200
"""Bytes that a request takes beside its own."""


class Request(NamedTuple):
    """One request that was taken in."""

    time_ns: int
    """Nanoseconds since 1970."""
    content: bytes
    """A serialized ExportTraceServiceRequest, or ExportLogsServiceRequest."""
    is_access_log: bool


class RecentRequests:
    """The latest requests, `limit` bytes of them; safe to be called from any thread."""

    def __init__(self, limit: int, clock: Callable[[], int] = time_ns) -> None:
        self.limit = limit
        self._followers: tuple[Callable[[Request], object], ...] = ()
        self._clock = clock
        self._lock = Lock()
        self._held: deque[Request] = deque()
        self._size = 0

    def add(self, content: bytes, *, is_access_log: bool) -> None:
        """Remember a request that was taken in."""
        request = Request(self._clock(), content, is_access_log)
        size = len(content) + _PER_REQUEST
        with self._lock:
            for follower in self._followers:
                follower(request)
            if size <= self.limit:
                self._held.append(request)
                self._size += size
            while self._size > self.limit:
                self._forget()

    def memory(self) -> int:
        """Return about how many bytes they take."""
        return self._size

    def give_way(self) -> None:
        """Forget the older half."""
        with self._lock:
            for _ in range((len(self._held) + 1) // 2):
                self._forget()

    def follow(self, follower: Callable[[Request], object]) -> list[Request]:
        """Call `follower` with each request from now on, in the thread that took it in; return those that are remembered."""
        with self._lock:
            self._followers = (*self._followers, follower)
            return list(self._held)

    def unfollow(self, follower: Callable[[Request], object]) -> None:
        """End that."""
        with self._lock:
            self._followers = tuple(one for one in self._followers if one != follower)

    @property
    def followers(self) -> int:
        """How many there are."""
        return len(self._followers)

    def all(self) -> list[Request]:
        """Return all that are remembered, the oldest first."""
        with self._lock:
            return list(self._held)

    def _forget(self) -> None:
        self._size -= len(self._held.popleft().content) + _PER_REQUEST
