"""Which rules leave it to chance what is kept, and where that can be told as one probability."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milvus_otel_processor.sampling.policies.base import policies_inside
from milvus_otel_processor.sampling.policies.bytes_limiting import BytesLimitingPolicy
from milvus_otel_processor.sampling.policies.composite import CompositePolicy
from milvus_otel_processor.sampling.policies.drop import DropPolicy
from milvus_otel_processor.sampling.policies.dynamic import DynamicPolicy
from milvus_otel_processor.sampling.policies.not_ import NotPolicy
from milvus_otel_processor.sampling.policies.probabilistic import ProbabilisticPolicy
from milvus_otel_processor.sampling.policies.rate_limiting import RateLimitingPolicy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from milvus_otel_processor.sampling.policies import PolicySettings

_NOT_CERTAIN = (BytesLimitingPolicy, CompositePolicy, DynamicPolicy, ProbabilisticPolicy, RateLimitingPolicy)


def check_probabilities(policies: Sequence[PolicySettings], *, sample_on_first_match: bool) -> None:
    """Raise ValueError where the policies are such that counts adjusted by their probabilities would be wrong."""
    for problem in _problems(policies, sample_on_first_match=sample_on_first_match):
        raise ValueError(f"adjusted_counts: {problem}")


def leaves_to_chance(policy: PolicySettings) -> bool:
    """Tell whether a policy, or one inside of it, leaves its answer to chance or to what came before."""
    return any(isinstance(one, _NOT_CERTAIN) for one in (policy, *policies_inside(policy)))


def _problems(policies: Sequence[PolicySettings], *, sample_on_first_match: bool) -> Iterator[str]:
    everywhere = [inner for policy in policies for inner in (policy, *policies_inside(policy))]
    for policy in everywhere:
        if isinstance(policy, DropPolicy | NotPolicy):
            for inner in policies_inside(policy):
                if isinstance(inner, _NOT_CERTAIN):
                    yield (
                        f"{_named(inner)} inside of {_named(policy)} makes the probability of what is kept one that cannot be "
                        f"told; take it out"
                    )
        if isinstance(policy, DynamicPolicy) and sample_on_first_match:
            yield f"{_named(policy)} has to be asked about every trace; set sample_on_first_match to false"
    salts = sorted({salt for policy in everywhere for salt in _salts(policy)})
    if len(salts) > 1:
        yield (
            f"policies with a different hash_salt choose independently of each other, expected one for all, and found "
            f"{', '.join(map(repr, salts))}"
        )


def _salts(policy: PolicySettings) -> Iterator[str]:
    if isinstance(policy, ProbabilisticPolicy):
        yield policy.probabilistic.hash_salt
    elif isinstance(policy, DynamicPolicy):
        yield policy.dynamic.hash_salt


def _named(policy: PolicySettings) -> str:
    type_: str = getattr(policy, "type", "")
    return f"{type_} {policy.name!r}" if policy.name else type_
