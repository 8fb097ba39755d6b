"""Which spans of Milvus' were seen before: senders send again what they do not know to have come, and so does a storage."""

from __future__ import annotations

from collections import deque
from typing import Protocol

_SPANS_REMEMBERED = 16_384  # in each of two generations
_TRACE_ID, _SPAN_ID = 16, 8
_KEY = _TRACE_ID + _SPAN_ID


class Repeats(Protocol):
    """Knows the spans of Milvus' that were seen last, and those that an earlier process has counted.

    A key is 24 bytes: the id of a trace, and behind it that of a span.
    """

    def is_repeated(self, trace_id: bytes, span_id: bytes, /) -> bool:
        """Tell whether this span was seen before; from now on it was. One without an id of its own was not."""

    def note(self, counted: bytes, /) -> None:
        """Know the spans with these keys as seen, instead of those of the last call, and note from now on which others come.

        One that is sent again is noted again: it is in another request on disk.

        May be called from any thread.
        """

    def noted(self) -> bytes:
        """Return the keys of those that came since the last call; likewise."""


class Repeated:
    """Does so in Python; bounded, but for what is noted."""

    def __init__(self) -> None:
        self._seen: set[bytes] = set()
        self._seen_before: set[bytes] = set()
        self._counted: frozenset[bytes] = frozenset()
        self._noted: deque[bytes] | None = None

    def is_repeated(self, trace_id: bytes, span_id: bytes) -> bool:
        """See `Repeats`."""
        key = trace_id + span_id
        came_before = key in self._seen or key in self._seen_before
        if not came_before:
            if len(self._seen) >= _SPANS_REMEMBERED:
                self._seen_before, self._seen = self._seen, set()
            self._seen.add(key)
            if key in self._counted:
                return True  # it is noted, with the request that it was recovered from
        if self._noted is not None and len(key) == _KEY:
            self._noted.append(key)
        return came_before and bool(span_id)

    def note(self, counted: bytes) -> None:
        """See `Repeats`."""
        self._counted = frozenset(counted[at : at + _KEY] for at in range(0, len(counted), _KEY))
        if self._noted is None:
            self._noted = deque()

    def noted(self) -> bytes:
        """See `Repeats`."""
        noted = self._noted
        return b"".join([noted.popleft() for _ in range(len(noted))]) if noted is not None else b""
