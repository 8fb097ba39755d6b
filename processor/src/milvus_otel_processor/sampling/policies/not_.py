"""`not`: traces that another policy does not sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.sampling.explanation import Explanation
from milvus_otel_processor.sampling.policies.base import (
    SYSTEM_CLOCK,
    Clock,
    EvaluationError,
    Evaluator,
    PolicySettings,
    labelled,
)
from milvus_otel_processor.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milvus_otel_processor.sampling.policies import SubPolicy  # noqa: TC004 - resolved by the package, which imports this
    from milvus_otel_processor.spans.contract import Trace


_AMOUNT = {True: "every trace", False: "no trace"}


class NotSettings(Settings):
    """Settings of `not`."""

    not_sub_policy: SubPolicy = Field(
        description="The policy. The trace is sampled when this policy does not sample it."
    )


class Not(Evaluator):
    """Samples traces that its evaluator does not sample."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator
        self.stateful = evaluator.stateful
        self.reads = evaluator.reads
        self.unless = evaluator.wanted if evaluator.always_answers else None

    def evaluate(self, trace: Trace) -> Decision:
        """Return SAMPLED where the sub-policy does not, and the other way round."""
        return Decision.NOT_SAMPLED if self._evaluator.evaluate(trace) is Decision.SAMPLED else Decision.SAMPLED

    def explain(self, trace: Trace) -> Explanation:
        """Return the answer, and what the sub-policy says."""
        try:
            # Asked as `evaluate` asks it: where the sub-policy has no answer, this one has none either.
            answer = Explanation(self._evaluator.evaluate(trace), "")
        except EvaluationError as error:
            return Explanation(Decision.NOT_SAMPLED, f"has no answer: {error}", failed=True)
        if not self._evaluator.stateful:
            answer = self._evaluator.explain(trace)
        is_sampled = answer.decision is Decision.SAMPLED
        reason = f"{self._evaluator.label} samples it" if is_sampled else f"{self._evaluator.label} does not sample it"
        decision = Decision.NOT_SAMPLED if is_sampled else Decision.SAMPLED
        return Explanation(decision, reason, ((self._evaluator.label, answer),))


class NotPolicy(PolicySettings):
    """Traces that another policy does not sample."""

    type: Literal["not"]
    not_: NotSettings = Field(alias="not")

    def evaluator(self, clock: Clock = SYSTEM_CLOCK) -> Evaluator:
        """Return the evaluator that these settings describe."""
        return Not(labelled(self.not_.not_sub_policy, clock))

    def remarks(self) -> Iterator[str]:
        """Yield what a sub-policy with one answer for every trace makes of the whole."""
        answer = self.constant()
        if answer is not None:
            yield f"not.not_sub_policy: samples {_AMOUNT[not answer]}, so that this policy samples {_AMOUNT[answer]}"

    def constant(self) -> bool | None:
        """Return the opposite of the sub-policy's."""
        answer = self.not_.not_sub_policy.constant()
        return None if answer is None else not answer
