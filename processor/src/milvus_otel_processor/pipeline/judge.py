"""Judges a trace that is due: shows it to the stages, and asks the rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.sampling.hints.reads import Reads
from milvus_otel_processor.spans.schema import DecodeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milvus_otel_processor.pipeline.stages import Stages
    from milvus_otel_processor.sampling.decision import Verdict
    from milvus_otel_processor.sampling.rules import Rules
    from milvus_otel_processor.spans.attributes import Encoded
    from milvus_otel_processor.spans.contract import Trace


class Judgement(NamedTuple):
    """What is to become of a trace."""

    verdict: Verdict
    trace: Trace
    """The trace, less malformed spans where some were in the way."""
    common: Sequence[Encoded] = ()
    """What every late span of the trace is to be given."""


class Judge:
    """Lets the stages add to one trace at a time, and asks the rules about it."""

    def __init__(self, stages: Stages, rules: Rules) -> None:
        self._stages = stages
        self._rules = rules

    def judge(self, trace: Trace) -> Judgement | None:
        """Return what is to become of a trace; None where none of its spans is well formed, and someone had to look into them."""
        try:
            return self._judge(trace)
        except DecodeError:
            rest = trace.without_malformed()
            return self._judge(rest) if len(rest) else None

    def _judge(self, trace: Trace) -> Judgement:
        # Where no rule can tell the difference, what is not kept need not be seen.
        common, left = self._stages.before_decision(trace, rules_read=self._rules.reads > Reads.NOTHING)
        verdict = self._rules.decide(trace)
        if verdict.decision is Decision.SAMPLED:
            self._stages.after_decision(trace, left, common)
        return Judgement(verdict, trace, common)
