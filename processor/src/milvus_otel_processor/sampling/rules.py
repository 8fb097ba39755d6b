"""The rules in force: the sampler of a `tail_sampling` block, which can be replaced while it is asked."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Literal

from milvus_otel_processor.sampling.decision import Decision, Verdict
from milvus_otel_processor.sampling.hints.reads import Reads
from milvus_otel_processor.sampling.sampler import Sampler
from milvus_otel_processor.spans.schema import DecodeError

if TYPE_CHECKING:
    from milvus_otel_processor.sampling.hints.drops import SureDrops
    from milvus_otel_processor.sampling.policies import Clock
    from milvus_otel_processor.sampling.settings import TailSamplingSettings
    from milvus_otel_processor.spans.contract import Trace
    from milvus_otel_processor.spans.groups import Group
    from milvus_otel_processor.spans.wanted import Wanted

PASSED = Verdict(Decision.SAMPLED, None)
"""The verdict over every trace where no sampling is configured."""


class Rules:
    """Answers for the sampler of the settings; without settings every trace is passed on. Calls are serialized by the caller."""

    def __init__(self, settings: TailSamplingSettings | None, clock: Clock, evaluation_errors: Counter[str]) -> None:
        self._clock = clock
        self._evaluation_errors = evaluation_errors
        self.trigger = ""
        """What made the traces due that are being decided: see `pipeline.decider`."""
        self.further_votes: Counter[str] = Counter()
        """How often each policy would have sampled a trace that one before it had sampled."""
        self.counts_votes = True
        """Whether policies are asked how they vote on traces that one before them has sampled."""
        self.replace(settings)

    def replace(self, settings: TailSamplingSettings | None) -> None:
        """Go by other settings from now on."""
        sampler = None
        if settings is not None:
            sampler = Sampler(settings, self._clock, self._evaluation_errors, self.further_votes)
            sampler.counts_votes = self.counts_votes
        self._sampler = sampler
        # Where decisions are not remembered, spans behind their root would be taken for a trace of their own.
        remembers = settings is not None and settings.decision_cache.non_sampled_cache_size > 0
        self.asks_roots = sampler is not None and sampler.drops_early and remembers
        """Whether the name of a root span can settle a verdict at once, so that all of them are asked about."""
        self.asks_resources = self.asks_roots and sampler is not None and sampler.drops_early_by_resource
        """Whether that takes the resource of the root span as well."""
        self.samples_early = sampler is not None and sampler.samples_early
        """Whether a trace can be sampled for good before all of it has arrived."""
        self.reads = sampler.reads if sampler is not None else Reads.TIMES
        """What a verdict may depend on of what enrichment writes: on all of it, where every trace is kept."""

    def count_votes(self, counts: bool) -> None:
        """Have policies asked how they vote on traces that one before them has sampled, or not; those with a memory always are."""
        self.counts_votes = counts
        if self._sampler is not None:
            self._sampler.counts_votes = counts

    def of_root(self, name: bytes, group: Group | None = None) -> Verdict | Literal["ask"] | None:
        """Return the verdict that a root span of this name, and of this resource, settles.

        ASK where rules have to be asked, None where it tells nothing.
        The verdict is the same object each time.
        """
        return self._sampler.of_root(name, group) if self._sampler is not None else None

    def wants(self) -> list[Wanted] | None:
        """Return what a trace has to have for any rule to match; None where every trace has to be looked at."""
        return self._sampler.wants(roots_are_asked=self.asks_roots) if self._sampler is not None else None

    def drops(self) -> SureDrops | None:
        """Return which complete traces are dropped by their root, where nothing else in them is in the way."""
        return self._sampler.drops() if self._sampler is not None else None

    def sampled_early(self, trace: Trace) -> bool:
        """Tell whether what there is of a trace settles that it is sampled."""
        try:
            return self._sampler is not None and self._sampler.sampled_early(trace)
        except DecodeError:
            return False

    def decide(self, trace: Trace) -> Verdict:
        """Return the verdict over a trace. Raises DecodeError at a malformed span."""
        if self._sampler is None:
            return PASSED
        return self._sampler.decide(trace, roots_were_asked=self.asks_roots and not trace.asked)

    def shadow_verdicts(self, trace: Trace, verdict: Verdict) -> list[Verdict]:
        """Return what policies with `mode: shadow` would have decided over a trace with this verdict."""
        sampler = self._sampler
        if sampler is None or not sampler.has_shadows or verdict.decision is Decision.DROPPED:
            return []
        try:
            return sampler.shadow_verdicts(trace)
        except DecodeError:
            return sampler.shadow_verdicts(trace.without_malformed())
