"""Tells in one look at a trace's bytes which rules cannot match it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milvus_otel_processor.sampling.hints.needles import Needles
    from milvus_otel_processor.spans.contract import Trace
    from milvus_otel_processor.spans.groups import Group

R = TypeVar("R")

_FEWEST = 3
"""Rules that have to gain by it for the look to be worth its cost."""
_LOOKS = 256
"""Looks after which it is asked anew which texts are so common that looking for them gains nothing."""
_COMMON = 0.05
_PLANS = 1024
"""Combinations of resources and of texts that are remembered."""
_NOTHING = frozenset[bytes]()


class Candidate(NamedTuple, Generic[R]):
    """A rule, and what a trace has to hold for it to match; None where that is not known."""

    rule: R
    needles: Needles | None


class Prefilter(Generic[R]):
    """Chooses, for each trace, the rules that may match it.

    All texts that rules need are looked for at once. Mostly none of them is there. What then remains to be asked depends on the
    trace's resources alone, so it is remembered. Which texts to look for is learned: of the sets that a rule has, the first that
    is not common in the traffic; a rule whose sets are all common is always asked.
    """

    def __init__(self, candidates: Sequence[Candidate[R]]) -> None:
        self._candidates = candidates
        self._all = [candidate.rule for candidate in candidates]
        self._common: set[bytes] = set()
        self._hits: dict[bytes, int] = {}
        self._looks = 0
        self._rebuild()

    def rules(self, trace: Trace) -> list[R]:
        """Return the rules that may match the trace, in their order."""
        if not self._texts:
            return self._all
        self._looks += 1
        if self._looks >= _LOOKS:
            self._learn()
            if not self._texts:
                return self._all
        at = trace.distinct_groups, self._present(trace)
        plan = self._plans.get(at)
        return self._plan(*at) if plan is None else plan

    def _present(self, trace: Trace) -> frozenset[bytes]:
        present = trace.present(self._texts)
        for text in present:
            self._hits[text] += 1
        return present

    def _plan(self, groups: frozenset[Group], present: frozenset[bytes]) -> list[R]:
        plan = [
            rule
            for (rule, needles), chosen in zip(self._candidates, self._chosen, strict=True)
            if chosen is None
            or needles is None
            or chosen & present
            or (needles.resource_matches is not None and any(map(needles.resource_matches, groups)))
        ]
        if len(self._plans) >= _PLANS:
            self._plans.clear()
        self._plans[groups, present] = plan
        return plan

    def _learn(self) -> None:
        common = {text for text, hits in self._hits.items() if hits > self._looks * _COMMON}
        self._looks = 0
        self._hits = dict.fromkeys(self._hits, 0)
        if common:
            self._common |= common
            self._rebuild()

    def _rebuild(self) -> None:
        self._chosen = [self._choose(candidate.needles) for candidate in self._candidates]
        texts = frozenset[bytes]().union(*filter(None, self._chosen))
        self._plans: dict[tuple[frozenset[Group], frozenset[bytes]], list[R]] = {}
        self._looks = 0
        self._hits = dict.fromkeys(texts, 0)
        worth = sum(chosen is not None for chosen in self._chosen) >= _FEWEST
        self._texts = texts if worth else _NOTHING

    def _choose(self, needles: Needles | None) -> frozenset[bytes] | None:
        sets = needles.sets if needles is not None else ()
        return next((texts for texts in sets if not texts & self._common), None)
