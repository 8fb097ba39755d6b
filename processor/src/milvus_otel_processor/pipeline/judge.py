"""Judges a trace that is due: gives it what is known of its requests, and asks the rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.spans.schema import DecodeError

if TYPE_CHECKING:
    from milvus_otel_processor.enrichment.enricher import Enricher
    from milvus_otel_processor.sampling.decision import Verdict
    from milvus_otel_processor.sampling.rules import Rules
    from milvus_otel_processor.spans.attributes import Encoded
    from milvus_otel_processor.spans.contract import Trace


class Judgement(NamedTuple):
    """What is to become of a trace."""

    verdict: Verdict
    trace: Trace
    """The trace, less malformed spans where some were in the way."""
    common: Encoded | None = None
    """What every late span of the trace is to be given."""


class Judge:
    """Asks the enricher, if there is one, and the rules about one trace at a time."""

    def __init__(self, enricher: Enricher | None, rules: Rules) -> None:
        self._enricher = enricher
        self._rules = rules

    def judge(self, trace: Trace) -> Judgement | None:
        """Return what is to become of a trace; None where none of its spans is well formed, and someone had to look into them."""
        try:
            return self._judge(trace)
        except DecodeError:
            rest = trace.without_malformed()
            return self._judge(rest) if len(rest) else None

    def _judge(self, trace: Trace) -> Judgement:
        enricher, rules = self._enricher, self._rules
        if enricher is None:
            return Judgement(rules.decide(trace), trace)
        # Where no rule can tell the difference, what is not kept need not be enriched.
        if rules.reads_enrichment or enricher.may_fail(trace):
            common = enricher.enrich(trace)
            return Judgement(rules.decide(trace), trace, common)
        verdict = rules.decide(trace)
        return Judgement(verdict, trace, enricher.enrich(trace) if verdict.decision is Decision.SAMPLED else None)
