"""Asks the policies about a trace and makes one decision of their answers."""

from __future__ import annotations

import logging
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from milvus_otel_processor.sampling.decision import NOT_SAMPLED, Decision, Verdict
from milvus_otel_processor.sampling.policies import SYSTEM_CLOCK, EvaluationError
from milvus_otel_processor.sampling.policies.drop import Drop
from milvus_otel_processor.sampling.shadow import SHADOW

if TYPE_CHECKING:
    from milvus_otel_processor.sampling.policies import Clock, Evaluator, Policy
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
        rules = _rules([policy for policy in settings.policies if policy.mode != SHADOW], clock)
        self._drops = [rule for rule in rules if isinstance(rule.evaluator, Drop)]
        self._unsealed_drops = [rule for rule in self._drops if not _may_be_sealed(rule)]
        self.seals = len(self._unsealed_drops) < len(self._drops)
        """Whether any root span can settle a verdict at once."""
        keeps = [rule for rule in rules if not isinstance(rule.evaluator, Drop)]
        stops = settings.sample_on_first_match
        self._keeps = [
            (rule, [] if stops else [later for later in keeps[place + 1 :] if later.evaluator.stateful])
            for place, rule in enumerate(keeps)
        ]
        self.sealed_by_root = lru_cache(maxsize=_ROOT_NAMES_REMEMBERED)(self._sealed_by_root)
        """Return the verdict that a root span of this name settles at once, whatever else arrives, or None."""
        self._shadows = _rules([policy for policy in settings.policies if policy.mode == SHADOW], clock)
        self.has_shadows = bool(self._shadows)
        self.evaluation_errors: Counter[str] = Counter()
        """How often each policy had no answer, by its name."""

    def decide(self, trace: Trace, *, roots_were_asked: bool = False) -> Verdict:
        """Return the decision over the trace, and by which policy. Raises DecodeError at a malformed span.

        `roots_were_asked` says that the name of every root span of the trace was given to `sealed_by_root` when it came; rules
        on these names alone can then not match any more, and are not asked again.
        """
        for rule in self._unsealed_drops if roots_were_asked else self._drops:
            try:
                if rule.evaluator.evaluate(trace) is Decision.DROPPED:
                    return rule.dropped
            except EvaluationError as error:
                self._has_no_answer(rule, trace, error)
        for rule, with_memory in self._keeps:
            try:
                if rule.evaluator.evaluate(trace) is Decision.SAMPLED:
                    self._tell(with_memory, trace)
                    return rule.sampled
            except EvaluationError as error:
                self._has_no_answer(rule, trace, error)
        return NOT_SAMPLED

    def shadow_verdicts(self, trace: Trace) -> list[Verdict]:
        """Return what policies with `mode: shadow` would have decided, those that would not have kept or dropped it left out.

        For a trace that no drop policy has dropped: after that no policy would have been asked. Raises DecodeError at a
        malformed span.
        """
        verdicts = []
        for rule in self._shadows:
            try:
                decision = rule.evaluator.evaluate(trace)
            except EvaluationError as error:
                self._has_no_answer(rule, trace, error)
                continue
            if decision is not Decision.NOT_SAMPLED:
                verdicts.append(rule.sampled if decision is Decision.SAMPLED else rule.dropped)
        return verdicts

    def _tell(self, with_memory: list[_Rule], trace: Trace) -> None:
        for rule in with_memory:
            try:
                rule.evaluator.evaluate(trace)
            except EvaluationError as error:
                self._has_no_answer(rule, trace, error)

    def _has_no_answer(self, rule: _Rule, trace: Trace, error: EvaluationError) -> None:
        name = rule.sampled.policy or ""
        self.evaluation_errors[name] += 1
        # The Collector says it at debug level each time; once aloud is what a user needs.
        level = logging.WARNING if self.evaluation_errors[name] == 1 else logging.DEBUG
        _log.log(level, "policy %s has no answer for trace %s: %s", name, trace.id.hex(), error)

    def _sealed_by_root(self, name: bytes) -> Verdict | None:
        for rule in self._drops:
            if isinstance(rule.evaluator, Drop) and rule.evaluator.drops_root(name):
                return rule.dropped
        return None


def _rules(policies: list[Policy], clock: Clock) -> list[_Rule]:
    return [
        _Rule(policy.evaluator(clock), Verdict(Decision.SAMPLED, policy.name), Verdict(Decision.DROPPED, policy.name))
        for policy in policies
    ]


def _may_be_sealed(rule: _Rule) -> bool:
    return isinstance(rule.evaluator, Drop) and rule.evaluator.may_be_sealed
