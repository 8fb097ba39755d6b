"""What a replay counts of traces: how many, of what kind, how much; and what one set of rules keeps and another does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Hashable

_EXAMPLES = 3
_DAY = 86_400
_SHORTEST = 1.0
"""Seconds that a recording has to take for a rate to mean anything."""
BY = ("policy", "collection", "root")
"""What gained and lost traces are told apart by."""


class Tally:
    """Traces and their spans, counted as they come, with the ids of the first ones."""

    def __init__(self) -> None:
        self.traces = 0
        self.spans = 0
        self.examples: list[str] = []

    def add(self, spans: int, trace_id: bytes = b"") -> None:
        """Count a trace with so many spans."""
        self.traces += 1
        self.spans += spans
        if trace_id and len(self.examples) < _EXAMPLES:
            self.examples.append(trace_id.hex())


class Kind(NamedTuple):
    """What a trace is about."""

    root: str
    collections: tuple[str, ...]


class Kept(NamedTuple):
    """A trace that was kept."""

    policy: str
    kind: Kind


@dataclass
class Volume:
    """What is kept: traces, and their spans with those that came late."""

    traces: int = 0
    spans: int = 0
    bytes: int = 0

    def add(self, spans: int, size: int) -> None:
        """Add a trace."""
        self.traces += 1
        self.spans += spans
        self.bytes += size

    def per_day(self, seconds: float) -> Volume | None:
        """Return how much that is in a day, where it came in so many seconds; None where they are too few to tell."""
        if seconds < _SHORTEST:
            return None
        return Volume(*(round(part * _DAY / seconds) for part in (self.traces, self.spans, self.bytes)))


class Difference:
    """The traces that one set of rules keeps and another does not."""

    def __init__(self) -> None:
        self.all = Tally()
        self.by: dict[str, dict[str | None, Tally]] = {one: {} for one in BY}
        """By policy, by each collection (None where there is none), and by root."""

    def add(self, trace_id: bytes, kept: Kept, spans: int) -> None:
        """Count a trace, with all of its spans that were kept."""
        self.all.add(spans, trace_id)
        self._add("policy", kept.policy, trace_id, spans)
        self._add("root", kept.kind.root, trace_id, spans)
        for collection in kept.kind.collections or (None,):
            self._add("collection", collection, trace_id, spans)

    def _add(self, by: str, key: str | None, trace_id: bytes, spans: int) -> None:
        self.by[by].setdefault(key, Tally()).add(spans, trace_id)

    def sorted_by(self, by: str) -> list[tuple[str | None, Tally]]:
        """Return the traces by policy, collection or root, the most first."""
        return sorted(self.by[by].items(), key=lambda item: (-item[1].traces, item[0] or ""))

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return _figures(self.all) | {
            f"by_{by}": [{by: key, **_figures(tally)} for key, tally in self.sorted_by(by)] for by in BY
        }


def _figures(tally: Tally) -> dict[str, Hashable | list[str]]:
    return {"traces": tally.traces, "spans": tally.spans, "examples": tally.examples}
