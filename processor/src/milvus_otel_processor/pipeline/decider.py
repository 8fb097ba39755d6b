"""Decides over traces: has each of them judged, then acts on the judgement."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from milvus_otel_processor.pipeline.outlet import Kept
from milvus_otel_processor.pipeline.triggers import DUE
from milvus_otel_processor.sampling.decision import NOT_SAMPLED, Decision
from milvus_otel_processor.telemetry.counters import Lost
from milvus_otel_processor.telemetry.faults import FaultLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from milvus_otel_processor.pipeline.contracts import Witness
    from milvus_otel_processor.pipeline.judge import Judge, Judgement
    from milvus_otel_processor.pipeline.outlet import Outlet
    from milvus_otel_processor.sampling.decision import Verdict
    from milvus_otel_processor.sampling.rules import Rules
    from milvus_otel_processor.spans.contract import Store, Taken, Trace
    from milvus_otel_processor.telemetry.counters import Amount, Telemetry

_log = logging.getLogger(__name__)

MALFORMED = "malformed"
"""The decision over a trace of which no span is valid protobuf, where a rule had to look into them."""
DISCARDED = "discarded"
"""What stands for the decision over a trace that still waited at the end, and was not to be decided."""
FAILED = "failed"
"""The decision over a trace at which the enricher or a policy failed: a fault of this program."""


class Decider:
    """Counts what was decided over each trace, has the store remember it, and hands on what is kept.

    Calls are serialized by the caller. `witness` is told of each trace when all is done; `observe` of each trace, lost ones too,
    and whether it is kept, before that goes out.
    """

    def __init__(
        self,
        *,
        judge: Judge,
        rules: Rules,
        store: Store,
        outlet: Outlet,
        telemetry: Telemetry,
        clock: Callable[[], float],
        witness: Witness | None = None,
        observe: Callable[[Trace, bool], None] | None = None,
    ) -> None:
        self._judge = judge
        self._rules = rules
        self._store = store
        self._outlet = outlet
        self._telemetry = telemetry
        self._clock = clock
        self._faults = FaultLog(_log, clock)
        self._witness = witness
        self._observe = observe
        self._tallies: dict[int, tuple[Verdict, Amount]] = {}

    def forget_verdicts(self) -> None:
        """Go on with the verdicts of another sampler."""
        self._tallies.clear()

    def decide(self, traces: Iterable[Trace], trigger: str = DUE) -> None:
        """Decide these traces, which do not wait any more, and hand on what is kept of them; `trigger` is what made them due."""
        self._rules.trigger = trigger
        now, age = self._clock(), self._telemetry.trace_removal_age
        for trace in traces:
            age.observe(now - trace.arrived)
            judgement = self._judged(trace)
            if judgement is not None:
                self._act(trace, judgement, now)

    def unwanted(self, taken: Taken, now: float) -> None:
        """Count traces that nobody has looked at: no rule samples them, or their root has settled that they are dropped."""
        for verdict, arrived, count, spans in taken.dropped:
            self._telemetry.trace_removal_age.observe(now - arrived, count)
            self._tally(verdict).add(spans, count)
        traces = 0
        for arrived, count in taken.unwanted:
            self._telemetry.trace_removal_age.observe(now - arrived, count)
            traces += count
        if traces:
            self._tally(NOT_SAMPLED).add(taken.unwanted_spans, traces)

    def discard(self, traces: Iterable[Trace]) -> None:
        """Lose these traces, undecided."""
        for trace in traces:
            self._lose(trace, DISCARDED, Lost.SHUTDOWN)

    def early(self, verdict: Verdict, traces: int, spans: int) -> None:
        """Count traces that the names of their roots decided when they came."""
        self._tally(verdict).add(spans, traces)

    def show(self, traces: Iterable[tuple[Verdict, Trace]], trigger: str) -> None:
        """Tell the witness of traces that are counted already, and gone."""
        if self._witness is not None:
            for verdict, trace in traces:
                self._witness.remember(trace, verdict, trigger)

    def _judged(self, trace: Trace) -> Judgement | None:
        """Return what is to become of a trace; None where it is lost, and counted."""
        try:
            judgement = self._judge.judge(trace)
        except Exception as error:  # noqa: BLE001 - a fault in one decision must not end all later ones, nor lose spans uncounted
            self._faults.tell(
                error, "deciding failed, the trace is lost: trace_id=%s spans=%d", trace.id.hex(), len(trace)
            )
            self._lose(trace, FAILED, Lost.FAILED)
            return None
        if judgement is None:
            self._lose(trace, MALFORMED, Lost.MALFORMED)
        return judgement

    def _act(self, arrived: Trace, judgement: Judgement, now: float) -> None:
        verdict, trace, common = judgement
        self._tally(verdict).add(len(arrived))
        self._count_shadows(trace, verdict, len(arrived))
        if self._observe is not None:
            self._observe(trace, verdict.decision is Decision.SAMPLED)
        if verdict.decision is not Decision.SAMPLED:
            self._store.remember(trace.id, None)
            if self._witness is not None:
                self._witness.add(trace, verdict, self._rules.trigger)
            return
        if len(trace) < len(arrived):
            self._telemetry.lost(Lost.MALFORMED, len(arrived) - len(trace), queued=False)
        kept = Kept(verdict.policy, common, trace.threshold, now)
        self._store.remember(trace.id, kept)
        self._outlet.put(trace, kept)
        if self._witness is not None:
            self._witness.add(trace, verdict, self._rules.trigger)

    def _count_shadows(self, trace: Trace, verdict: Verdict, spans: int) -> None:
        try:
            shadows = self._rules.shadow_verdicts(trace, verdict)
        except Exception as error:  # noqa: BLE001 - what does nothing must not cost a trace either
            self._faults.tell(error, "policies with mode: shadow failed: trace_id=%s", trace.id.hex())
            return
        for would, policy in (shadow.key for shadow in shadows):
            self._telemetry.shadow_tally(policy, would, verdict.decision.value).add(spans)

    def _lose(self, trace: Trace, decision: str, reason: Lost) -> None:
        if self._observe is not None:
            self._observe(trace, False)
        self._telemetry.tally(decision).add(len(trace))
        self._telemetry.lost(reason, len(trace), queued=False)

    def _tally(self, verdict: Verdict) -> Amount:
        # By identity, because to hash an Enum costs more than all else here; the verdict is held so that its id stays its own.
        known = self._tallies.get(id(verdict))
        if known is None:
            known = self._tallies[id(verdict)] = (verdict, self._telemetry.tally(*verdict.key))
        return known[1]
