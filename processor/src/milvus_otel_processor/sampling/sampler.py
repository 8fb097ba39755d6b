"""Asks the policies about a trace and makes one decision of their answers."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from milvus_otel_processor.sampling.decision import NOT_SAMPLED, Decision, Verdict
from milvus_otel_processor.sampling.policies.drop import Drop

if TYPE_CHECKING:
    from milvus_otel_processor.sampling.policies import Evaluator
    from milvus_otel_processor.sampling.settings import TailSamplingSettings
    from milvus_otel_processor.trace import Trace

_ROOT_NAMES_REMEMBERED = 4096


class _Rule(NamedTuple):
    evaluator: Evaluator
    sampled: Verdict
    dropped: Verdict


class Sampler:
    """The policies of a `tail_sampling` block, in the order in which they count.

    Precedence is the Collector's (tailsamplingprocessor/processor.go, `loadSamplingPolicies` and `makeDecision`, v0.158):
    `drop` policies are asked first and one that drops ends it; then the others in turn, and the first that samples gives its
    name. The Collector asks the rest too unless `sample_on_first_match` is set; no policy here has a memory, so that the
    rest can change nothing, and it is not asked.
    """

    def __init__(self, settings: TailSamplingSettings) -> None:
        rules = [
            _Rule(
                policy.evaluator(),
                Verdict(Decision.SAMPLED, policy.name),
                Verdict(Decision.DROPPED, policy.name),
            )
            for policy in settings.policies
        ]
        self._drops = [rule for rule in rules if isinstance(rule.evaluator, Drop)]
        self._unsealed_drops = [rule for rule in self._drops if not _may_be_sealed(rule)]
        self.seals = len(self._unsealed_drops) < len(self._drops)
        """Whether any root span can settle a verdict at once."""
        self._keeps = [rule for rule in rules if not isinstance(rule.evaluator, Drop)]
        self.sealed_by_root = lru_cache(maxsize=_ROOT_NAMES_REMEMBERED)(self._sealed_by_root)
        """Return the verdict that a root span of this name settles at once, whatever else arrives, or None."""

    def decide(self, trace: Trace, *, roots_were_asked: bool = False) -> Verdict:
        """Return the decision over the trace, and by which policy. Raises DecodeError at a malformed span.

        `roots_were_asked` says that the name of every root span of the trace was given to `sealed_by_root` when it came; rules
        on these names alone can then not match any more, and are not asked again.
        """
        for rule in self._unsealed_drops if roots_were_asked else self._drops:
            if rule.evaluator.evaluate(trace) is Decision.DROPPED:
                return rule.dropped
        for rule in self._keeps:
            if rule.evaluator.evaluate(trace) is Decision.SAMPLED:
                return rule.sampled
        return NOT_SAMPLED

    def _sealed_by_root(self, name: bytes) -> Verdict | None:
        for rule in self._drops:
            if isinstance(rule.evaluator, Drop) and rule.evaluator.drops_root(name):
                return rule.dropped
        return None


def _may_be_sealed(rule: _Rule) -> bool:
    return isinstance(rule.evaluator, Drop) and rule.evaluator.may_be_sealed
