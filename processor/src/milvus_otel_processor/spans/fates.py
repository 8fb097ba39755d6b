"""What can be asked about a trace by its id alone, at any time and from any thread: whether it waits, and what was decided."""

from __future__ import annotations

from typing import Protocol


class Fates(Protocol):
    """Knows what became of traces, as far as it remembers."""

    def __contains__(self, trace_id: bytes) -> bool:
        """Tell whether a trace with this id waits."""

    def sampled(self, trace_id: bytes) -> bool | None:
        """Tell whether a trace that is gone was sampled; None where it waits, was never seen, or is forgotten."""
