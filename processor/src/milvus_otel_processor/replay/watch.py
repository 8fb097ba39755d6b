"""Rules that are watched while they decide in a replay: why one trace was decided so, and what every policy said of all."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from milvus_otel_processor.demo.sink import decode
from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.sampling.rules import Rules
from milvus_otel_processor.spans.groups import join_traces

if TYPE_CHECKING:
    from collections import Counter

    from milvus_otel_processor.demo.sink import KeptSpan
    from milvus_otel_processor.sampling.decision import Verdict
    from milvus_otel_processor.sampling.explanation import TraceExplanation
    from milvus_otel_processor.sampling.policies import Clock
    from milvus_otel_processor.sampling.settings import TailSamplingSettings
    from milvus_otel_processor.spans.contract import Trace


class Explained(NamedTuple):
    """One trace at its decision."""

    explanation: TraceExplanation
    spans: list[KeptSpan]
    """The spans that were there, with what enrichment wrote."""
    milliseconds: float
    has_root: bool
    complete: bool
    decided_at: float
    """Seconds on the recording's clock."""


class _Watched(Rules):
    """Decides at the time of each trace: no root settles a verdict at once, so that every trace is seen."""

    def replace(self, settings: TailSamplingSettings | None) -> None:
        """Go by other settings from now on."""
        super().replace(settings)
        self.asks_roots = False


class ExplainedRules(_Watched):
    """Explains the decision over the trace with the id `wanted`, in `found`."""

    wanted: bytes = b""
    found: Explained | None = None

    def __init__(self, settings: TailSamplingSettings | None, clock: Clock, evaluation_errors: Counter[str]) -> None:
        self._now = clock.monotonic
        super().__init__(settings, clock, evaluation_errors)

    def decide(self, trace: Trace) -> Verdict:
        """Return the verdict over a trace. Raises DecodeError at a malformed span."""
        if trace.id != self.wanted or self._sampler is None:
            return super().decide(trace)
        explanation = self._sampler.explain(trace)
        self.found = Explained(
            explanation,
            list(decode(join_traces([trace]))),
            trace.duration_nanoseconds / 1e6,
            bool(trace.roots),
            trace.complete,
            self._now(),
        )
        return explanation.verdict


class Tally:
    """Traces and their spans, counted as they come."""

    def __init__(self) -> None:
        self.traces = 0
        self.spans = 0

    def add(self, spans: int) -> None:
        """Count a trace with so many spans."""
        self.traces += 1
        self.spans += spans


class Kept(NamedTuple):
    """A trace that was kept."""

    policy: str
    spans: int
    root: str


class CountedRules(Rules):
    """Counts, for each policy, the traces that it samples (by `drop`: drops), and those that it alone does.

    Traces that the name of their root has dropped at once are not among them: no policy was asked about these.
    """

    def __init__(self, settings: TailSamplingSettings | None, clock: Clock, evaluation_errors: Counter[str]) -> None:
        super().__init__(settings, clock, evaluation_errors)
        self.votes: defaultdict[str, Tally] = defaultdict(Tally)
        self.alone: defaultdict[str, Tally] = defaultdict(Tally)
        self.dropped: defaultdict[str, Tally] = defaultdict(Tally)
        """The traces that were dropped when they were decided, by the policy that decided."""
        self.kept: dict[bytes, Kept] = {}

    def decide(self, trace: Trace) -> Verdict:
        """Return the verdict over a trace. Raises DecodeError at a malformed span."""
        if self._sampler is None:
            verdict, voters = super().decide(trace), list[str]()
        else:
            verdict, voters = self._sampler.votes(trace)
        for name in voters:
            self.votes[name].add(len(trace))
        if len(voters) == 1:
            self.alone[voters[0]].add(len(trace))
        if verdict.decision is Decision.DROPPED:
            self.dropped[verdict.policy or ""].add(len(trace))
        if verdict.decision is Decision.SAMPLED:
            roots = trace.roots
            root = roots[0].name.decode("utf-8", "replace") if roots else "(no root)"
            self.kept[trace.id] = Kept(verdict.policy or "", len(trace), root)
        return verdict
