"""Decisions before their time: where a limit is reached, or nothing that is still to come could change them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from milvus_otel_processor.pipeline.limits import memory
from milvus_otel_processor.pipeline.triggers import FIRST_MATCH, MAX_MEMORY, MEMORY_LIMIT, NUM_TRACES, TRACE_SIZE
from milvus_otel_processor.spans.attributes import Encoded
from milvus_otel_processor.spans.schema import DecodeError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from milvus_otel_processor.pipeline.decider import Decider
    from milvus_otel_processor.pipeline.limits import Limits
    from milvus_otel_processor.sampling.rules import Rules
    from milvus_otel_processor.spans.contract import Arrived, Store, Trace
    from milvus_otel_processor.telemetry.counters import Telemetry

INCOMPLETE = "milvus.decision.incomplete"
"""The attribute on kept spans of traces that were decided then: more of them may have come."""

_INCOMPLETE = Encoded([(INCOMPLETE, True)])
_TRACES_PER_TURN = 64


class EarlyDecisions:
    """Looks, after each request, for traces that are to be decided before their time."""

    def __init__(
        self,
        limits: Limits,
        *,
        store: Store,
        rules: Rules,
        decider: Decider,
        telemetry: Telemetry,
        wait_for_room: Callable[[float], bool],
    ) -> None:
        self._store = store
        self._rules = rules
        self._decider = decider
        self._telemetry = telemetry
        self._wait_for_room = wait_for_room
        self.limits = limits

    def after(self, arrived: Arrived) -> None:
        """Count the traces that the names of their roots decided, and decide those that are not to wait any longer."""
        for verdict, traces, spans in arrived.early:
            self._decider.early(verdict, traces, spans)
        if self._rules.samples_early:
            self._decide(FIRST_MATCH, self._sampled_early())
        if self.limits.bounds_trace_size:
            self._decide(TRACE_SIZE, self._store.take_larger_than(self.limits.trace_size))
        # Where what is kept would find no room, more waits than may, up to the memory that there is for all.
        excess = len(self._store) - self.limits.traces
        if excess > 0 and self._wait_for_room(0):
            self._decide(NUM_TRACES, self._store.take_oldest(excess))
        while len(self._store) and self.memory() > self.limits.memory and self._wait_for_room(0):
            self._decide(MAX_MEMORY, self._store.take_oldest(_TRACES_PER_TURN))

    def decide_oldest(self) -> None:
        """Decide some of the oldest traces because memory is short."""
        traces = self._store.take_oldest(_TRACES_PER_TURN)
        for trace in traces:
            with suppress(DecodeError):  # a malformed span: the decision finds out, and counts it
                trace.append_missing(range(len(trace)), _INCOMPLETE)
        self._decide(MEMORY_LIMIT, traces)

    def _sampled_early(self) -> list[Trace]:
        sampled = [trace.id for trace in self._store.touched() if self._rules.sampled_early(trace)]
        return [self._store.take(trace_id) for trace_id in sampled]

    def memory(self) -> int:
        """Return about how much memory the waiting traces take; bytes."""
        return memory(len(self._store), self._store.spans, self._store.size + self._store.group_size)

    def _decide(self, reason: str, traces: Sequence[Trace]) -> None:
        if traces:
            self._telemetry.early_decisions[reason] += len(traces)
            self._decider.decide(traces, reason)
