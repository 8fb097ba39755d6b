"""Asks the policies about a trace and makes one decision of their answers."""

from __future__ import annotations

import logging
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from milvus_otel_processor.sampling.decision import NOT_SAMPLED, Decision, Verdict
from milvus_otel_processor.sampling.policies import SYSTEM_CLOCK, EvaluationError
from milvus_otel_processor.sampling.policies.drop import Drop

if TYPE_CHECKING:
    from milvus_otel_processor.sampling.policies import Clock, Evaluator
    from milvus_otel_processor.sampling.settings import TailSamplingSettings
    from milvus_otel_processor.trace import Trace

_log = logging.getLogger(__name__)

_ROOT_NAMES_REMEMBERED = 4096


class _Rule(NamedTuple):
    evaluator: Evaluator
    sampled: Verdict
    dropped: Verdict


class Sampler:
    """The policies of a `tail_sampling` block, in the order in which they count.

    Precedence is the Collector's (tailsamplingprocessor/processor.go, `loadSamplingPolicies` and `makeDecision`, v0.158):
    `drop` policies are asked first and one that drops ends it; then the others in turn, and the first that samples gives its
    name. The Collector asks the rest too unless `sample_on_first_match` is set. Only of policies with a memory can that be
    told: those, and no others, are asked here.
    """

    def __init__(self, settings: TailSamplingSettings, clock: Clock = SYSTEM_CLOCK) -> None:
        rules = [
            _Rule(
                policy.evaluator(clock),
                Verdict(Decision.SAMPLED, policy.name),
                Verdict(Decision.DROPPED, policy.name),
            )
            for policy in settings.policies
        ]
        self._drops = [rule for rule in rules if isinstance(rule.evaluator, Drop)]
        self.seals = any(rule.evaluator.may_be_sealed for rule in self._drops if isinstance(rule.evaluator, Drop))
        """Whether any root span can settle a verdict at once."""
        keeps = [rule for rule in rules if not isinstance(rule.evaluator, Drop)]
        stops = settings.sample_on_first_match
        self._keeps = [
            (rule, [] if stops else [later for later in keeps[place + 1 :] if later.evaluator.stateful])
            for place, rule in enumerate(keeps)
        ]
        self.sealed_by_root = lru_cache(maxsize=_ROOT_NAMES_REMEMBERED)(self._sealed_by_root)
        """Return the verdict that a root span of this name settles at once, whatever else arrives, or None."""
        self.evaluation_errors: Counter[str] = Counter()
        """How often each policy had no answer, by its name."""

    def decide(self, trace: Trace) -> Verdict:
        """Return the decision over the trace, and by which policy. Raises DecodeError at a malformed span."""
        for rule in self._drops:
            if self._ask(rule, trace) is Decision.DROPPED:
                return rule.dropped
        for rule, with_memory in self._keeps:
            if self._ask(rule, trace) is Decision.SAMPLED:
                for later in with_memory:
                    self._ask(later, trace)
                return rule.sampled
        return NOT_SAMPLED

    def _ask(self, rule: _Rule, trace: Trace) -> Decision:
        try:
            return rule.evaluator.evaluate(trace)
        except EvaluationError as error:
            name = rule.sampled.policy or ""
            self.evaluation_errors[name] += 1
            # The Collector says it at debug level each time; once aloud is what a user needs.
            level = logging.WARNING if self.evaluation_errors[name] == 1 else logging.DEBUG
            _log.log(level, "policy %s has no answer for trace %s: %s", name, trace.id.hex(), error)
            return Decision.NOT_SAMPLED

    def _sealed_by_root(self, name: bytes) -> Verdict | None:
        for rule in self._drops:
            if isinstance(rule.evaluator, Drop) and rule.evaluator.drops_root(name):
                return rule.dropped
        return None
