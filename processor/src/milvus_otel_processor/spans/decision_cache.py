"""Remembers what was decided over traces that are gone, for the spans that come late."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

K = TypeVar("K")
N = TypeVar("N")


class DecisionCache(Generic[K, N]):
    """The newest trace ids that were sampled, and those that were not, each with what is to be known of it.

    The oldest are forgotten. One dict answers for both kinds, because every trace that is new asks it.
    """

    def __init__(self, sampled_size: int, not_sampled_size: int) -> None:
        self._decisions: dict[bytes, K | N] = {}
        self._sampled: deque[bytes] = deque()
        self._not_sampled: deque[bytes] = deque()
        self._sampled_size = sampled_size
        self._not_sampled_size = not_sampled_size
        self.get = self._decisions.get
        """Return what was put for a trace id, or None where nothing was, or it is forgotten."""

    def resize(self, sampled_size: int, not_sampled_size: int) -> None:
        """Remember this many from now on; the oldest of those that are too many are forgotten at once."""
        self._sampled_size, self._not_sampled_size = sampled_size, not_sampled_size
        for order, size in ((self._sampled, sampled_size), (self._not_sampled, not_sampled_size)):
            while len(order) > size:
                self._decisions.pop(order.popleft(), None)

    def put_sampled(self, trace_id: bytes, value: K) -> None:
        """Remember a trace as sampled; with a size of 0 nothing is remembered."""
        if self._sampled_size:
            self._decisions[trace_id] = value
            self._sampled.append(trace_id)
            if len(self._sampled) > self._sampled_size:
                self._decisions.pop(self._sampled.popleft(), None)

    def put_not_sampled(self, trace_id: bytes, value: N) -> None:
        """Remember a trace as not sampled, or dropped; with a size of 0 nothing is remembered."""
        if self._not_sampled_size:
            self._decisions[trace_id] = value
            self._not_sampled.append(trace_id)
            if len(self._not_sampled) > self._not_sampled_size:
                self._decisions.pop(self._not_sampled.popleft(), None)

    def __len__(self) -> int:
        return len(self._decisions)
