"""`and`: traces that every sub-policy samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.sampling.policies.base import SYSTEM_CLOCK, AllOf, Clock, Evaluator, PolicySettings, labelled
from milvus_otel_processor.sampling.thresholds import UNKNOWN
from milvus_otel_processor.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milvus_otel_processor.sampling.policies import SubPolicy  # noqa: TC004 - resolved by the package, which imports this
    from milvus_otel_processor.spans.contract import Trace


class AndSettings(Settings):
    """Settings of `and`."""

    and_sub_policy: list[SubPolicy] = Field(
        min_length=1, description="The policies. All of them have to sample the trace."
    )


class And(AllOf):
    """Samples traces that all of its evaluators sample."""

    def __init__(self, evaluators: list[Evaluator]) -> None:
        super().__init__(evaluators)
        self.lasting = all(evaluator.lasting for evaluator in evaluators)

    def evaluate(self, trace: Trace) -> Decision:
        """Return SAMPLED where every sub-policy does."""
        return Decision.SAMPLED if self.all_sample(trace) else Decision.NOT_SAMPLED

    def _decision(self, *, sampled: bool) -> Decision:
        return Decision.SAMPLED if sampled else Decision.NOT_SAMPLED

    def threshold(self, trace: Trace) -> int:
        """Return the highest threshold of the sub-policies, which compare it with the same random number."""
        thresholds = [evaluator.threshold(trace) for evaluator in self._evaluators]
        return UNKNOWN if UNKNOWN in thresholds else max(thresholds)


class AndPolicy(PolicySettings):
    """Traces that every one of several policies samples."""

    type: Literal["and"]
    and_: AndSettings = Field(alias="and")

    def evaluator(self, clock: Clock = SYSTEM_CLOCK) -> Evaluator:
        """Return the evaluator that these settings describe."""
        return And([labelled(policy, clock) for policy in self.and_.and_sub_policy])

    def remarks(self) -> Iterator[str]:
        """Yield which sub-policies decide for the whole, or do nothing in it."""
        for index, policy in enumerate(self.and_.and_sub_policy):
            answer = policy.constant()
            if answer is False:
                yield f"and.and_sub_policy[{index}]: samples no trace, so that the whole policy samples none"
            elif answer and len(self.and_.and_sub_policy) > 1:
                yield f"and.and_sub_policy[{index}]: samples every trace, and so changes nothing here"

    def constant(self) -> bool | None:
        """Return False where one sub-policy samples nothing, True where all sample everything."""
        answers = [policy.constant() for policy in self.and_.and_sub_policy]
        return False if False in answers else True if all(answers) else None
