"""`drop`: traces that every sub-policy samples are dropped, whatever other policies say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.sampling.hints.wanted import any_of
from milvus_otel_processor.sampling.policies.base import SYSTEM_CLOCK, AllOf, Clock, Evaluator, PolicySettings, labelled
from milvus_otel_processor.sampling.policies.span_name import SpanName
from milvus_otel_processor.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milvus_otel_processor.sampling.policies import SubPolicy  # noqa: TC004 - resolved by the package, which imports this
    from milvus_otel_processor.spans.contract import Trace
    from milvus_otel_processor.spans.groups import Group


class DropSettings(Settings):
    """Settings of `drop`."""

    drop_sub_policy: list[SubPolicy] = Field(
        min_length=1, description="The policies. A trace that all of them sample is dropped."
    )


class Drop(AllOf):
    """Drops traces that all of its evaluators sample."""

    def __init__(self, evaluators: list[Evaluator]) -> None:
        super().__init__(evaluators)
        self._by_root = [one for one in evaluators if _drops_by_root(one)]
        rest = [one.unless for one in evaluators if not _drops_by_root(one)]
        self.may_drop_early = self.root_matches is not None and not rest
        """Whether a root span alone can be enough for a trace to be dropped."""
        self.undone_by = any_of(rest) if self.root_matches is not None else None
        """What a trace has to have for `drops_root` not to be enough where the trace is complete; None where nothing is."""
        self.asks_resource = self.may_drop_early and any(one.group_matches is not None for one in evaluators)
        """Whether that takes its resource as well."""

    def evaluate(self, trace: Trace) -> Decision:
        """Return DROPPED where every sub-policy samples the trace, else NOT_SAMPLED."""
        return Decision.DROPPED if self.all_sample(trace) else Decision.NOT_SAMPLED

    def _decision(self, *, sampled: bool) -> Decision:
        return Decision.DROPPED if sampled else Decision.NOT_SAMPLED

    def drops_root(self, name: bytes, group: Group | None = None) -> bool:
        """Tell whether a root span of this name alone, of this resource and scope, is enough for the trace to be dropped.

        So it is where all sub-policies look at the names of root spans, or at a resource, alone, because nothing that arrives later
        can undo a match. False says nothing.
        """
        return self.may_drop_early and self.drops_complete(name, group)

    def drops_complete(self, name: bytes, group: Group | None) -> bool:
        """Tell whether a root span like that is enough for a complete trace that has nothing of `undone_by`."""
        return all(_matches(one, name, group) for one in self._by_root)


def _drops_by_root(evaluator: Evaluator) -> bool:
    return (
        isinstance(evaluator, SpanName) and evaluator.root_matches is not None
    ) or evaluator.group_matches is not None


def _matches(evaluator: Evaluator, name: bytes, group: Group | None) -> bool:
    if evaluator.root_matches is not None:
        return evaluator.root_matches(name)
    return group is not None and evaluator.group_matches is not None and evaluator.group_matches(group)


class DropPolicy(PolicySettings):
    """Traces that are dropped, whatever other policies say."""

    type: Literal["drop"]
    drop: DropSettings

    def evaluator(self, clock: Clock = SYSTEM_CLOCK) -> Drop:
        """Return the evaluator that these settings describe."""
        return Drop([labelled(policy, clock) for policy in self.drop.drop_sub_policy])

    def remarks(self) -> Iterator[str]:
        """Yield which sub-policies decide for the whole, or do nothing in it."""
        for index, policy in enumerate(self.drop.drop_sub_policy):
            answer = policy.constant()
            if answer is False:
                yield f"drop.drop_sub_policy[{index}]: samples no trace, so that none is dropped"
            elif answer and len(self.drop.drop_sub_policy) > 1:
                yield f"drop.drop_sub_policy[{index}]: samples every trace, and so changes nothing here"

    def constant(self) -> bool | None:
        """Return False where no trace is dropped, True where every trace is."""
        answers = [policy.constant() for policy in self.drop.drop_sub_policy]
        return False if False in answers else True if all(answers) else None
