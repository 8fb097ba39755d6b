"""Spans that come after the decision over their trace: how late they are, and whether the decision would have been another."""

from __future__ import annotations

from array import array
from collections import Counter, OrderedDict
from typing import TYPE_CHECKING, NamedTuple, Protocol

from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.spans.trace import ReferenceTrace

if TYPE_CHECKING:
    from collections.abc import Iterable

    from milvus_otel_processor.sampling.decision import Verdict
    from milvus_otel_processor.spans.contract import Store, Trace
    from milvus_otel_processor.spans.groups import Group

_HELD_BYTES = 256 << 20
"""Of the spans of decided traces, for those that may come late; the oldest traces are let go."""
_BYTES_PER_SPAN = 200  # what a span takes beside its bytes
_EXAMPLES = 3
_STEP = 0.1  # seconds, to which a wait is rounded up


class Judge(Protocol):
    """What tells what would have been decided."""

    def without_memory(self, trace: Trace) -> Verdict | None:
        """Return the verdict of the policies whose answers do not depend on other traces; None where there is none to be had."""

    def has_memory(self, policy: str) -> bool:
        """Tell whether the answers of the policy with this name depend on other traces."""


class Ages(NamedTuple):
    """How long after the first span of their trace late spans came; seconds."""

    median: float
    most: float
    """99 % of them came no later."""
    latest: float
    wait: float
    """The `decision_wait` with which 99 % of them would have come in time."""


class Change:
    """Traces that would have been decided otherwise with the spans that came late."""

    def __init__(self) -> None:
        self.traces = 0
        self.spans = 0
        """The late ones."""
        self.by_policy: Counter[str] = Counter()
        self.examples: list[str] = []

    def add(self, trace_id: bytes, spans: int, policy: str | None) -> None:
        """Count a trace; the policy is the one that would have decided."""
        self.traces += 1
        self.spans += spans
        self.by_policy[policy or ""] += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append(trace_id.hex())


class _Decided:
    """A trace that was decided, and what came of it since."""

    __slots__ = ("first", "groups", "late", "size", "spans", "verdict")

    def __init__(self, trace: Trace, verdict: Verdict, first: float) -> None:
        self.verdict = verdict
        self.first = first
        self.groups = list(trace.groups)
        self.spans = list(trace.spans)
        self.size = sum(map(len, self.spans)) + _BYTES_PER_SPAN * len(self.spans)
        self.late = 0


class LateSpanWatch:
    """Follows what arrives and what is decided in a replay.

    What a decision would have been is asked once all late spans of its trace are there, of the policies without a memory: what a
    rate limit would have said then, nobody knows.
    """

    def __init__(self, judge: Judge, held_bytes: int = _HELD_BYTES) -> None:
        self._judge = judge
        self._held_bytes = held_bytes
        self._size = 0
        self._first: dict[bytes, float] = {}
        self._decided: OrderedDict[bytes, _Decided] = OrderedDict()
        self._arriving: list[tuple[bytes, Group, bytes]] = []
        self._ages = array("d")
        self.kept, self.not_kept = Change(), Change()
        """Traces that were not kept, and would have been; traces that were, and would not."""
        self.traces = 0
        """How many traces had late spans."""

    def before(self, spans: Iterable[tuple[bytes, bytes | None, Group, bytes]], now: float) -> None:
        """See the spans of a request: their trace ids, names where they are roots, groups and bytes."""
        self._arriving = [(trace_id, group, span) for trace_id, _, group, span in spans]
        for trace_id, _, _ in self._arriving:
            if trace_id not in self._decided:
                self._first.setdefault(trace_id, now)

    def after(self, store: Store, now: float) -> None:
        """See which of them have found their trace decided."""
        for trace_id, group, span in self._arriving:
            if trace_id in store:
                self._first.setdefault(trace_id, now)
                continue
            self._first.pop(trace_id, None)  # of one that its root has dropped at once
            decided = self._decided.get(trace_id)
            if decided is not None:
                self._late(decided, group, span, now)
        self._arriving = []

    def decided(self, trace: Trace, verdict: Verdict, now: float) -> None:
        """See a decision over a trace."""
        if trace.id in self._decided:  # the processor had forgotten it, and it began anew
            self._let_go(trace.id, self._decided.pop(trace.id))
        decided = _Decided(trace, verdict, self._first.pop(trace.id, now))
        self._decided[trace.id] = decided
        self._size += decided.size
        while self._size > self._held_bytes and self._decided:
            self._let_go(*self._decided.popitem(last=False))

    def finish(self) -> None:
        """Ask what would have been decided over all that were not asked about yet."""
        while self._decided:
            self._let_go(*self._decided.popitem(last=False))

    @property
    def spans(self) -> int:
        """How many late spans were seen, those of traces left out that their root had dropped at once."""
        return len(self._ages)

    def ages(self) -> Ages | None:
        """Return how late they were; None where none was."""
        ordered = sorted(self._ages)
        if not ordered:
            return None
        most = ordered[max(0, -(-len(ordered) * 99 // 100) - 1)]
        return Ages(ordered[(len(ordered) - 1) // 2], most, ordered[-1], (int(round(most / _STEP, 6)) + 1) * _STEP)

    def _late(self, decided: _Decided, group: Group, span: bytes, now: float) -> None:
        self.traces += not decided.late
        decided.late += 1
        decided.groups.append(group)
        decided.spans.append(span)
        size = len(span) + _BYTES_PER_SPAN
        decided.size += size
        self._size += size
        self._ages.append(now - decided.first)

    def _let_go(self, trace_id: bytes, decided: _Decided) -> None:
        self._size -= decided.size
        if not decided.late:
            return
        whole = ReferenceTrace(trace_id, decided.groups, decided.spans)
        verdict, was = self._judge.without_memory(whole.without_malformed()), decided.verdict
        if verdict is None:
            return
        was_kept, would_be = was.decision is Decision.SAMPLED, verdict.decision
        if would_be is Decision.SAMPLED and not was_kept:
            self.kept.add(trace_id, decided.late, verdict.policy)
        elif was_kept and (
            would_be is Decision.DROPPED
            or (would_be is Decision.NOT_SAMPLED and not self._judge.has_memory(was.policy or ""))
        ):
            self.not_kept.add(trace_id, decided.late, verdict.policy or was.policy)
