"""What of a whole `tail_sampling` block means nothing here or can never matter, as far as it can be seen without traffic.

Each remark is the path of a value in the block, a colon, and what is to be said of it. What a single policy says of itself
is in its own file (`PolicySettings.remarks`).
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
    from milvus_otel_processor.sampling.settings import TailSamplingSettings

_MIB = 1024 * 1024


def remarks_on(settings: TailSamplingSettings) -> Iterator[str]:
    """Yield the remarks on a block, and on the policies in it, at any depth."""
    yield from _for_the_collectors_sake(settings)
    yield from _waits_and_limits(settings)
    yield from _all_policies(settings)
    for path, policy in located(settings.policies, "policies"):
        yield from (f"{path}.{note}" for note in policy.notes())


def _for_the_collectors_sake(settings: TailSamplingSettings) -> Iterator[str]:
    if settings.block_on_overflow:
        yield (
            "block_on_overflow: is ignored: beyond num_traces the oldest traces are decided early by the policies, "
            "while the sender waits"
        )
    if settings.expected_new_traces_per_sec:
        yield "expected_new_traces_per_sec: is ignored: no memory is allocated ahead"
    if settings.sampling_strategy == "span-ingest":
        yield "sampling_strategy: span-ingest is ignored: decisions are made over whole traces, as with trace-complete"
    if settings.num_shards > 1:
        yield (
            "num_shards: is ignored: one thread decides, and for more run more processors, each with the traces that "
            "the Collector's loadbalancing exporter gives it by their trace id"
        )


def _waits_and_limits(settings: TailSamplingSettings) -> Iterator[str]:
    wait = settings.decision_wait
    for key in ("decision_wait_after_root_received", "decision_wait_after_complete"):
        sooner = getattr(settings, key)
        if sooner and sooner >= wait:
            yield f"{key}: {sooner:g}s is not below decision_wait, {wait:g}s, so that it never comes first"
    size, memory = settings.maximum_trace_size_bytes, settings.max_memory_mib * _MIB
    if memory and size >= memory:
        yield f"maximum_trace_size_bytes: no trace grows to {size} bytes, because max_memory_mib is reached before"


def _all_policies(settings: TailSamplingSettings) -> Iterator[str]:
    active = [(index, policy) for index, policy in enumerate(settings.policies) if policy.mode != SHADOW]
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
    yield from _behind_one_that_samples_everything(keeping, stops=settings.sample_on_first_match)
    yield from _asked_before(active)


def _behind_one_that_samples_everything(keeping: Sequence[tuple[int, PolicySettings]], *, stops: bool) -> Iterator[str]:
    first = next((index for index, policy in keeping if policy.constant()), None)
    for index, policy in keeping:
        if first is not None and index > first:
            name = dict(keeping)[first].name
            what = "is never asked" if stops else "never decides"
            yield f"policies[{index}]: {policy.name!r} {what}: {name!r} in front of it samples every trace"


def _asked_before(active: Sequence[tuple[int, PolicySettings]]) -> Iterator[str]:
    seen: list[tuple[str, PolicySettings]] = []
    for index, policy in active:
        if policy.constant() is None and not leaves_to_chance(policy):
            same = next((name for name, other in seen if _are_the_same(policy, other)), None)
            if same is not None:
                yield f"policies[{index}]: {policy.name!r} asks the same as {same!r} in front of it, and never decides"
            seen.append((policy.name, policy))


def _are_the_same(policy: PolicySettings, other: PolicySettings) -> bool:
    return type(policy) is type(other) and policy.model_copy(update={"name": other.name}) == other
