"""Which traces a replay keeps, by one set of rules or by two: remembered up to a size, and counted from then on."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from milvus_otel_processor.replay.tallies import Difference, Kept, Volume

if TYPE_CHECKING:
    from collections.abc import Sequence

_HELD_BYTES = 256 << 20
_PER_TRACE = 600  # bytes that a trace takes beside its names


class _Entry:
    """Who keeps a trace, by each set of rules, and how much of it; and when the first of them decided so."""

    __slots__ = ("bytes", "kept", "since", "size", "spans")

    def __init__(self, sides: int, since: float) -> None:
        self.kept: list[Kept | None] = [None] * sides
        self.spans = [0] * sides
        self.bytes = [0] * sides
        self.since = since
        self.size = _PER_TRACE

    @property
    def sides(self) -> Sequence[int]:
        """Which sets of rules keep it."""
        return [side for side, kept in enumerate(self.kept) if kept is not None]


class KeptTraces:
    """The traces that each of some sets of rules keeps, on one clock.

    The latest are remembered, for spans that come late and until the others have decided too; of the older ones only sums are.
    `wait` is how long the others may take: the longest `decision_wait` of all, in seconds.
    """

    def __init__(self, sides: int = 1, wait: float = 0.0, held_bytes: int = _HELD_BYTES) -> None:
        self.alone = [Difference() for _ in range(sides)]
        """What each keeps and no other does."""
        self.volumes: list[dict[str, Volume]] = [{} for _ in range(sides)]
        """What each keeps, by policy."""
        self.unsure = 0
        """Traces that had to be counted before all can have decided."""
        self._sides = sides
        self._wait = wait
        self._held_bytes = held_bytes
        self._size = 0
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()

    def side(self, number: int) -> SideOfKept:
        """Return what one of the sets of rules has to do with it."""
        return SideOfKept(self, number)

    def decided(self, side: int, trace_id: bytes, kept: Kept, now: float) -> None:
        """Note that a set of rules keeps a trace."""
        entry = self._entries.get(trace_id)
        if entry is None:
            entry = self._entries[trace_id] = _Entry(self._sides, now)
            self._size += entry.size
        entry.kept[side] = kept
        names = len(kept.kind.root) + sum(map(len, kept.kind.collections))
        entry.size += names
        self._size += names
        while self._size > self._held_bytes:
            _, oldest = found = self._entries.popitem(last=False)
            self.unsure += len(oldest.sides) < self._sides and now - oldest.since < self._wait
            self._count(*found)

    def put(self, side: int, trace_id: bytes, spans: int, size: int) -> None:
        """Note that so much of a trace is kept, or more of it."""
        entry = self._entries.get(trace_id)
        if entry is not None:
            entry.spans[side] += spans
            entry.bytes[side] += size

    def count_all(self) -> None:
        """Count what is remembered: nothing more comes."""
        while self._entries:
            self._count(*self._entries.popitem(last=False))

    def _count(self, trace_id: bytes, entry: _Entry) -> None:
        self._size -= entry.size
        sides = entry.sides
        for side in sides:
            kept = entry.kept[side]
            assert kept is not None
            self.volumes[side].setdefault(kept.policy, Volume()).add(entry.spans[side], entry.bytes[side])
            if len(sides) == 1:
                self.alone[side].add(trace_id, kept, entry.spans[side])


class SideOfKept:
    """What one of the sets of rules keeps; sums are to be asked for when all is decided."""

    def __init__(self, traces: KeptTraces, side: int) -> None:
        self._traces = traces
        self._side = side

    def decided(self, trace_id: bytes, kept: Kept, now: float) -> None:
        """See `KeptTraces.decided`."""
        self._traces.decided(self._side, trace_id, kept, now)

    def put(self, trace_id: bytes, spans: int, size: int) -> None:
        """See `KeptTraces.put`."""
        self._traces.put(self._side, trace_id, spans, size)

    @property
    def alone(self) -> Difference:
        """What it keeps and no other does."""
        self._traces.count_all()
        return self._traces.alone[self._side]

    @property
    def volumes(self) -> dict[str, Volume]:
        """What it keeps, late spans included, by policy."""
        self._traces.count_all()
        return self._traces.volumes[self._side]

    @property
    def unsure(self) -> int:
        """See `KeptTraces.unsure`."""
        return self._traces.unsure
