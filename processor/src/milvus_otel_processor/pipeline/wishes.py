"""What a trace has to have for anyone to look at it at its decision: a rule, or a stage in front of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milvus_otel_processor.sampling.hints.reads import Reads
from milvus_otel_processor.sampling.hints.wanted import together
from milvus_otel_processor.spans.wanted import Drops

if TYPE_CHECKING:
    from milvus_otel_processor.pipeline.stages import Stages
    from milvus_otel_processor.sampling.rules import Rules
    from milvus_otel_processor.spans.wanted import Wanted


class Wishes:
    """Asks rules and stages what they want; calls are serialized by the caller."""

    def __init__(self, rules: Rules, stages: Stages) -> None:
        self._rules = rules
        self._stages = stages
        self.forget()

    def forget(self) -> None:
        """Ask the rules anew: they have changed."""
        self._by_rules = self._rules.wants()
        self._by_stages: list[Wanted] | None = None
        self._wanted: Wanted | None = None

    def now(self) -> Wanted | None:
        """Return what makes a trace wanted, the same object as long as nobody changes their mind; None where all are."""
        if self._by_rules is None:
            return None
        by_stages = self._stages.wants(rules_read=self._rules.reads > Reads.NOTHING)
        if by_stages != self._by_stages:
            self._by_stages = by_stages
            self._wanted = self._together(by_stages) if by_stages is not None else None
        return self._wanted

    def _together(self, by_stages: list[Wanted]) -> Wanted | None:
        assert self._by_rules is not None
        wanted, seen, drops = together((*self._by_rules, *by_stages)), together(by_stages), self._rules.drops()
        if wanted is None or seen is None or drops is None:
            return wanted
        return wanted._replace(drops=Drops(*drops, seen, asked=self._rules.asks_roots))
