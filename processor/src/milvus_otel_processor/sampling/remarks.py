"""Which policies of a `tail_sampling` block can never matter, as far as it can be seen without traffic.

Each remark is the path of a value in the block, a colon, and what is to be said of it. What a single policy says of itself
is in its own file (`PolicySettings.remarks`); what the block says of its own keys is in `sampling.settings`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from milvus_otel_processor.sampling.policies import DropPolicy
from milvus_otel_processor.sampling.policies.base import located
from milvus_otel_processor.sampling.probabilities import leaves_to_chance
from milvus_otel_processor.sampling.shadow import SHADOW

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from milvus_otel_processor.sampling.policies import PolicySettings


def remarks_on(policies: Sequence[PolicySettings], *, stops: bool) -> Iterator[str]:
    """Yield the remarks on the policies of a block, at any depth; `stops` is its `sample_on_first_match`."""
    yield from _all_policies(policies, stops=stops)
    for path, policy in located(policies, "policies"):
        yield from (f"{path}.{note}" for note in policy.notes())


def _all_policies(policies: Sequence[PolicySettings], *, stops: bool) -> Iterator[str]:
    active = [(index, policy) for index, policy in enumerate(policies) if policy.mode != SHADOW]
    keeping = [(index, policy) for index, policy in active if not isinstance(policy, DropPolicy)]
    for index, policy in active:
        if isinstance(policy, DropPolicy) and policy.constant():
            yield f"policies[{index}]: drops every trace, whatever other policies say, so that nothing is kept"
    if not keeping:
        yield (
            "policies: only drop policies are here, so that no trace is kept; a trace is kept when a policy of another type "
            "samples it"
        )
    elif all(policy.constant() is False for _, policy in keeping):
        yield "policies: no policy here samples a trace, so that nothing is kept"
    yield from _behind_one_that_samples_everything(keeping, stops=stops)
    yield from _asked_before(active)


def _behind_one_that_samples_everything(keeping: Sequence[tuple[int, PolicySettings]], *, stops: bool) -> Iterator[str]:
    first = next((place for place, (_, policy) in enumerate(keeping) if policy.constant()), len(keeping))
    what = "is never asked" if stops else "never decides"
    for index, policy in keeping[first + 1 :]:
        name = keeping[first][1].name
        yield f"policies[{index}]: {policy.name!r} {what}: {name!r} in front of it samples every trace"


def _asked_before(active: Sequence[tuple[int, PolicySettings]]) -> Iterator[str]:
    seen: dict[str, str] = {}
    for index, policy in active:
        if policy.constant() is None and not leaves_to_chance(policy):
            same = seen.setdefault(policy.model_dump_json(exclude={"name"}), policy.name)
            if same != policy.name:
                yield f"policies[{index}]: {policy.name!r} asks the same as {same!r} in front of it, and never decides"
