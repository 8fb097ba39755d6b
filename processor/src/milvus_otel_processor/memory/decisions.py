"""How much memory the decisions take that are remembered for late spans."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milvus_otel_processor.sampling.settings import DecisionCacheSettings
    from milvus_otel_processor.telemetry.counters import Amount

_SAMPLED_BYTES, _NOT_SAMPLED_BYTES = 300, 120
"""What one takes in the reference store, the larger one: the trace id, its places, and of a sampled one what its late spans get."""
_SAMPLED, _NOT_SAMPLED = "sampled", frozenset({"not_sampled", "dropped"})


def decision_memory(decisions: Mapping[tuple[str, str], Amount], cache: DecisionCacheSettings) -> int:
    """Return about how much memory is taken by what is remembered of so many decisions, counted since the start; bytes."""
    sampled = not_sampled = 0
    for (decision, _), amount in list(decisions.items()):  # a copy, because another thread adds to them
        if decision == _SAMPLED:
            sampled += amount.traces
        elif decision in _NOT_SAMPLED:
            not_sampled += amount.traces
    return (
        min(sampled, cache.sampled_cache_size) * _SAMPLED_BYTES
        + min(not_sampled, cache.non_sampled_cache_size) * _NOT_SAMPLED_BYTES
    )
