"""Rules that count in a replay: what every policy says of all traces, what it costs, and what no policy wants."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from milvus_otel_processor.replay.kept_traces import KeptTraces, SideOfKept
from milvus_otel_processor.replay.late_spans import LateSpanWatch
from milvus_otel_processor.replay.tallies import Kept, Kind, Tally
from milvus_otel_processor.replay.watch import WatchedRules
from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.sampling.hints.reads import Reads
from milvus_otel_processor.sampling.policies.milvus_spans import COLLECTION
from milvus_otel_processor.spans.schema import DecodeError

if TYPE_CHECKING:
    from collections import Counter

    from milvus_otel_processor.sampling.decision import Verdict
    from milvus_otel_processor.sampling.policies import Clock
    from milvus_otel_processor.sampling.settings import TailSamplingSettings
    from milvus_otel_processor.spans.contract import Store, Trace

NO_ROOT = "(no root)"
_MOST_GROUPS = 10_000
"""Different roots and collections that are told apart; what comes beyond is one group."""
_OTHERS = "(others)"


class CountedRules(WatchedRules):
    """Counts, for each policy, the traces that it samples (by `drop`: drops), and those that it alone does.

    Traces that the name of their root has dropped at once are not among them: no policy was asked about these.
    """

    def __init__(
        self,
        settings: TailSamplingSettings | None,
        clock: Clock,
        evaluation_errors: Counter[str],
        kept: SideOfKept | None = None,
    ) -> None:
        super().__init__(settings, clock, evaluation_errors)
        self.votes: defaultdict[str, Tally] = defaultdict(Tally)
        self.alone: defaultdict[str, Tally] = defaultdict(Tally)
        self.dropped: defaultdict[str, Tally] = defaultdict(Tally)
        """The traces that were dropped when they were decided, by the policy that decided."""
        self.seconds: dict[str, float] = {}
        """What each policy took, by its name."""
        self.unmatched: defaultdict[Kind, Tally] = defaultdict(Tally)
        """The traces that no policy sampled or dropped, by their kind."""
        self.without_root = 0
        """How many traces were decided without their root."""
        self.kept = kept if kept is not None else KeptTraces().side(0)
        self.late = LateSpanWatch(self)

    def replace(self, settings: TailSamplingSettings | None) -> None:
        """Go by other settings from now on."""
        super().replace(settings)
        self.reads = max(self.reads, Reads.FACTS)  # so that what is not kept is known by its collection, too

    def put(self, trace: Trace) -> None:
        """See spans that are kept, late ones too."""
        self.kept.put(trace.id, len(trace), trace.size)

    def before(self, request: bytes) -> None:
        """See a request right before it is taken in."""
        self.late.before(self._spans(request), self._now())

    def after(self, store: Store) -> None:
        """See what has become of it."""
        self.late.after(store, self._now())

    def finish(self) -> None:
        """See that nothing more comes."""
        self.late.finish()

    def decide(self, trace: Trace) -> Verdict:
        """Return the verdict over a trace. Raises DecodeError at a malformed span."""
        if self._sampler is None:
            verdict, voters = super().decide(trace), list[str]()
        else:
            verdict, voters = self._sampler.votes(trace, self.seconds)
        for name in voters:
            self.votes[name].add(len(trace))
        if len(voters) == 1:
            self.alone[voters[0]].add(len(trace))
        self.without_root += not trace.roots
        if verdict.decision is Decision.DROPPED:
            self.dropped[verdict.policy or ""].add(len(trace))
        elif verdict.decision is Decision.SAMPLED:
            self.kept.decided(trace.id, Kept(verdict.policy or "", kind_of(trace)), self._now())
        else:
            self._count_unmatched(trace)
        self.late.decided(trace, verdict, self._now())
        return verdict

    def without_memory(self, trace: Trace) -> Verdict | None:
        """Return the verdict of the policies whose answers do not depend on other traces; None where there is none to be had."""
        try:
            return self._sampler.without_memory(trace) if self._sampler is not None else None
        except DecodeError:
            return None

    def has_memory(self, policy: str) -> bool:
        """Tell whether the answers of the policy with this name depend on other traces."""
        return self._sampler is not None and self._sampler.has_memory(policy)

    def _count_unmatched(self, trace: Trace) -> None:
        kind = kind_of(trace)
        if kind not in self.unmatched and len(self.unmatched) >= _MOST_GROUPS:
            kind = Kind(_OTHERS, ())
        self.unmatched[kind].add(len(trace), trace.id)


def kind_of(trace: Trace) -> Kind:
    """Return the name of the trace's root, and the collections that its spans name. Raises DecodeError at a malformed span."""
    roots = trace.roots
    root = roots[0].name.decode("utf-8", "replace") if roots else NO_ROOT
    values = trace.span_values(COLLECTION) if trace.may_hold(COLLECTION) else ()
    return Kind(root, tuple(sorted({value.string_value.decode("utf-8", "replace") for value in values} - {""})))
