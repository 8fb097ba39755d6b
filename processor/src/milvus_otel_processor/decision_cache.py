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

    def put_sampled(self, trace_id: bytes, value: K) -> None:
        """Remember a trace as sampled; with a size of 0 nothing is remembered."""
        self._put(trace_id, value, self._sampled, self._sampled_size)

    def put_not_sampled(self, trace_id: bytes, value: N) -> None:
        """Remember a trace as not sampled, or dropped; with a size of 0 nothing is remembered."""
        self._put(trace_id, value, self._not_sampled, self._not_sampled_size)

    def _put(self, trace_id: bytes, value: K | N, order: deque[bytes], size: int) -> None:
        if not size:
            return
        if len(order) >= size:
            self._decisions.pop(order.popleft(), None)
        order.append(trace_id)
        self._decisions[trace_id] = value

    def __len__(self) -> int:
        return len(self._decisions)
