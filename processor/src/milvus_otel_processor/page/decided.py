"""Traces as they were decided, kept or not, for whoever asks why: the latest ones, up to a size."""

from __future__ import annotations

from collections import deque
from itertools import starmap
from time import time
from typing import TYPE_CHECKING, NamedTuple

from milvus_otel_processor.page.probes import MARK
from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.spans.trace import ReferenceTrace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from milvus_otel_processor.sampling.decision import Verdict
    from milvus_otel_processor.sampling.settings import TailSamplingSettings
    from milvus_otel_processor.spans.contract import Trace

_DROPPED, _SAMPLED = Decision.DROPPED, Decision.SAMPLED
_PER_TRACE, _PER_SPAN = 700, 160
"""Bytes that either takes beside the bytes of its spans, with what is remembered of them once somebody has looked."""


class RulesInForce(NamedTuple):
    """The rules by which a trace was decided."""

    settings: TailSamplingSettings | None
    since: float
    """Seconds since 1970."""


class Remembered(NamedTuple):
    """One trace in how many is remembered, of each decision."""

    sampled: int = 1
    not_sampled: int = 1
    dropped: int = 1


class Decided(NamedTuple):
    """One trace at its decision."""

    trace: Trace
    verdict: Verdict
    trigger: str
    """What made it due; see `pipeline.decider`."""
    at: float
    """Seconds since 1970."""
    rules: RulesInForce
    size: int


class DecidedTraces:
    """The latest decided traces, `limit` bytes of them.

    `add` is called by the pipeline, under its lock, and costs the little that it does in there. All else may be called from any
    thread. A trace of the native store is another's as well while it waits to be exported, so it is only copied from.
    """

    def __init__(self, limit: int, clock: Callable[[], float] = time) -> None:
        self.limit = limit
        self.rules = RulesInForce(None, clock())
        self._clock = clock
        self._held: deque[tuple[Trace, Verdict, str, float, RulesInForce, int]] = deque()
        self._size = 0
        self._one_in = Remembered()
        self._sampled = self._not_sampled = self._dropped = 1  # how many until the next one

    @property
    def one_in(self) -> Remembered:
        """Of how many traces one is remembered."""
        return self._one_in

    @one_in.setter
    def one_in(self, one_in: Remembered) -> None:
        self._one_in = one_in
        # Where fewer come now, the next one is not that far away any more.
        self._sampled = min(self._sampled, one_in.sampled)
        self._not_sampled = min(self._not_sampled, one_in.not_sampled)
        self._dropped = min(self._dropped, one_in.dropped)

    def replace_rules(self, settings: TailSamplingSettings | None) -> None:
        """Note that traces are decided by these rules from now on."""
        self.rules = RulesInForce(settings, self._clock())

    def add(self, trace: Trace, verdict: Verdict, trigger: str) -> None:
        """See a trace that was decided, and remember it where it is its turn: `one_in` says of how many it is one.

        A probe is always remembered, beside the others.
        """
        if trace.id.startswith(MARK):
            self.remember(trace, verdict, trigger)
            return
        decision = verdict[0]
        if decision is _SAMPLED:
            self._sampled -= 1
            if self._sampled > 0:
                return
            self._sampled = self._one_in.sampled
        elif decision is _DROPPED:
            self._dropped -= 1
            if self._dropped > 0:
                return
            self._dropped = self._one_in.dropped
        else:
            self._not_sampled -= 1
            if self._not_sampled > 0:
                return
            self._not_sampled = self._one_in.not_sampled
        self.remember(trace, verdict, trigger)

    def remember(self, trace: Trace, verdict: Verdict, trigger: str) -> None:
        """Remember a trace that was decided."""
        size = trace.size + _PER_SPAN * len(trace) + _PER_TRACE
        if size > self.limit:
            return
        if verdict[0] is not _SAMPLED:  # what is kept has been released, and waits to be exported
            trace.release()
        self._held.append((trace, verdict, trigger, self._clock(), self.rules, size))
        self._size += size
        while self._size > self.limit:
            self._size -= self._held.popleft()[5]

    def memory(self) -> int:
        """Return about how many bytes they take."""
        return self._size

    def give_way(self) -> None:
        """Forget the older half: what has to be decided needs the memory. Not while `add` is called."""
        for _ in range((len(self._held) + 1) // 2):
            self._size -= self._held.popleft()[5]

    def __len__(self) -> int:
        return len(self._held)

    def latest_first(self) -> Iterator[Decided]:
        """Yield all that are remembered."""
        return starmap(Decided, reversed(self._held.copy()))

    def find(self, trace_id: bytes) -> Decided | None:
        """Return the latest decision over the trace with this id, if it is remembered."""
        return next((one for one in self.latest_first() if one.trace.id == trace_id), None)


def copied(trace: Trace) -> ReferenceTrace:
    """Return a trace of one's own with the same spans."""
    return ReferenceTrace(trace.id, list(trace.groups), list(trace.spans))
