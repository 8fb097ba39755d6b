"""Remembers what was decided over traces that are gone, for the spans that come late."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class DecisionCache(Generic[T]):
    """The newest trace ids and what was decided of them; the oldest are forgotten.

    Two generations: when the young one is half the size full it becomes the old one, and the old one goes. It forgets a little
    early, and in turn needs no order of use, no list beside the dict, and nothing per look-up.
    """

    def __init__(self, size: int) -> None:
        self._half = (size + 1) // 2
        self._young: dict[bytes, T] = {}
        self._old: dict[bytes, T] = {}

    def put(self, trace_id: bytes, value: T) -> None:
        """Remember a decision; with a size of 0 nothing is remembered."""
        if len(self._young) >= self._half:
            self._old, self._young = self._young, {}
        if self._half:
            self._young[trace_id] = value

    def get(self, trace_id: bytes) -> T | None:
        """Return what was decided, or None where it is not known."""
        value = self._young.get(trace_id)
        return self._old.get(trace_id) if value is None else value

    def __len__(self) -> int:
        return len(self._young) + len(self._old)
