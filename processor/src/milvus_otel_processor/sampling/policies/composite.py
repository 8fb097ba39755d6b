"""`composite`: several policies in turn, each with its share of a number of spans per second."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.sampling.explanation import Explanation, amount
from milvus_otel_processor.sampling.hints.wanted import any_of, wanted_by
from milvus_otel_processor.sampling.policies.base import SYSTEM_CLOCK, Clock, Evaluator, PolicySettings, labelled
from milvus_otel_processor.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milvus_otel_processor.sampling.policies import SubPolicy  # noqa: TC004 - resolved by the package, which imports this
    from milvus_otel_processor.spans.contract import Trace

_NANOSECONDS = 1_000_000_000
_PERCENT = 100


class RateAllocationSettings(Settings):
    """The share of one policy."""

    policy: str = Field(description="Name of the policy in `composite_sub_policy`.")
    percent: int = Field(
        default=0,
        description="Its share of `max_total_spans_per_second`; 0 means an equal share.",
    )


class CompositeSettings(Settings):
    """Settings of `composite`."""

    max_total_spans_per_second: int = Field(
        default=0, description="How many spans per second are shared among the policies."
    )
    policy_order: list[str] = Field(
        default=[],
        description="Accepted and ignored, as in the Collector: the order is that of `composite_sub_policy`.",
    )
    composite_sub_policy: list[SubPolicy] = Field(
        default=[],
        description="The policies. The first that samples a trace decides whether its share has room for it.",
    )
    rate_allocation: list[RateAllocationSettings] = Field(
        default=[], description="The share of each policy. A policy that is not named here has an equal share."
    )

    def allocated(self) -> dict[str, int]:
        """Return the spans per second of each sub-policy.

        Computed with doubles and cut off, as in the Collector (tailsamplingprocessor/composite_helper.go, v0.165). Its v0.158
        gave a sub-policy nothing that is not named in `rate_allocation`.
        """
        total = float(self.max_total_spans_per_second)
        equal = total / max(len(self.composite_sub_policy), 1)
        percent = {share.policy: share.percent for share in self.rate_allocation}
        shares = {policy.name: percent.get(policy.name, 0) for policy in self.composite_sub_policy}
        return {name: int((share / _PERCENT) * total if share > 0 else equal) for name, share in shares.items()}


@dataclass
class _Share:
    evaluator: Evaluator
    spans_per_second: int
    spans: int = 0
    """Sampled so far in the second under way."""


class Composite(Evaluator):
    """Samples traces that one of its evaluators samples, up to a number of spans in each second of the wall clock."""

    stateful = True

    def __init__(self, settings: CompositeSettings, clock: Clock) -> None:
        allocated = settings.allocated()
        self._total = settings.max_total_spans_per_second
        self._shares = [
            _Share(labelled(policy, clock), allocated[policy.name]) for policy in settings.composite_sub_policy
        ]
        self.wanted = any_of(wanted_by(share.evaluator, roots_are_asked=False) for share in self._shares)
        self._time_ns = clock.time_ns
        self._second = 0

    def evaluate(self, trace: Trace) -> Decision:
        """Return SAMPLED where the first sub-policy that samples the trace has room for all of its spans."""
        self._begin_second()
        for share in self._shares:
            if share.evaluator.evaluate(trace) is Decision.SAMPLED:
                return Decision.SAMPLED if self._takes(share, len(trace)) else Decision.NOT_SAMPLED
        return Decision.NOT_SAMPLED

    def _begin_second(self) -> None:
        second = self._time_ns() // _NANOSECONDS
        if second != self._second:
            self._second = second
            for share in self._shares:
                share.spans = 0

    def _takes(self, share: _Share, spans: int) -> bool:
        spans += share.spans
        if spans > share.spans_per_second or spans > self._total:
            return False
        share.spans = spans
        return True

    def explain(self, trace: Trace) -> Explanation:
        """Return the answer, and what each sub-policy says up to the first that samples the trace."""
        self._begin_second()
        inside: list[tuple[str, Explanation]] = []
        decision, reason, first = Decision.NOT_SAMPLED, "none of its policies samples it", ""
        for share in self._shares:
            label = share.evaluator.label
            if first:
                inside.append((label, Explanation(None, f"because {first} samples the trace")))
                continue
            before = share.spans
            answer = share.evaluator.explain(trace)
            inside.append((label, answer))
            if answer.failed:
                return Explanation(Decision.NOT_SAMPLED, f"{label} {answer.reason}", tuple(inside), failed=True)
            if answer.decision is Decision.SAMPLED:
                first = label
                room = f"{before:,} of {share.spans_per_second:,} spans used in this second"
                if self._takes(share, len(trace)):
                    decision, reason = Decision.SAMPLED, f"{label} samples it, with {room}"
                else:
                    reason = f"no room in the share of {label} for {amount(len(trace), 'span')}: {room}"
        return Explanation(decision, reason, tuple(inside))


class CompositePolicy(PolicySettings):
    """Several policies in turn, each with its share of the spans."""

    type: Literal["composite"]
    composite: CompositeSettings

    def evaluator(self, clock: Clock = SYSTEM_CLOCK) -> Evaluator:
        """Return the evaluator that these settings describe."""
        return Composite(self.composite, clock)

    def remarks(self) -> Iterator[str]:
        """Yield what of the shares means nothing, and which sub-policies keep nothing."""
        composite = self.composite
        names = [policy.name for policy in composite.composite_sub_policy]
        if not names:
            yield "composite.composite_sub_policy: holds no policy, so that no trace is sampled"
        if composite.policy_order and composite.policy_order != names:
            yield (
                f"composite.policy_order: is not looked at, as in the Collector; the order is that of composite_sub_policy: "
                f"{', '.join(names)}"
            )
        yield from _remarks_on_shares(composite.rate_allocation, names)
        doubles = [name for index, name in enumerate(names) if name and name in names[:index]]
        for name in doubles:
            yield f"composite.composite_sub_policy: {name!r} is the name of two policies, which share one allocation"
        without = [name for name in names if not composite.allocated().get(name)]
        if without:
            yield f"composite.max_total_spans_per_second: leaves no span to {', '.join(without)}, so that nothing is kept by it"

    def constant(self) -> bool | None:
        """Return False where no sub-policy has both traces that it samples and room for them."""
        rates = self.composite.allocated()
        policies = self.composite.composite_sub_policy
        return False if all(rates[policy.name] <= 0 or policy.constant() is False for policy in policies) else None


def _remarks_on_shares(shares: list[RateAllocationSettings], names: list[str]) -> Iterator[str]:
    told: set[str] = set()
    for index, share in enumerate(shares):
        where = f"composite.rate_allocation[{index}]"
        if share.policy not in names:
            known = ", ".join(filter(None, names)) or "none that has a name"
            what = f"{share.policy!r} is not a policy of composite_sub_policy, so that this share means nothing"
            yield f"{where}.policy: {what}; there is {known}"
        elif share.policy in told:
            yield f"{where}.policy: {share.policy!r} has a share already, and the last one counts"
        told.add(share.policy)
        if share.percent < 0:
            yield f"{where}.percent: {share.percent} is below 0, and counts as 0: an equal share for each"
    total = sum(max(share.percent, 0) for share in shares)
    if total > _PERCENT:
        yield (
            f"composite.rate_allocation: the shares come to {total} %, more than 100 %; max_total_spans_per_second bounds each, "
            f"and not all together"
        )
