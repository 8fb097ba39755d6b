"""What may wait for its decision: how many traces, how much memory, how large one trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from milvus_otel_processor.sampling.settings import TailSamplingSettings

BYTES_PER_SPAN = 72
"""What a waiting span takes beside its bytes: its object, two places in a list (measured: docs/decisions.md)."""
BYTES_PER_TRACE = 190
"""What a waiting trace takes beside its spans: its id, a list, a place in a dict and in a queue (measured likewise)."""

_MIB = 1 << 20
_UNBOUNDED = 1 << 62


class Limits(NamedTuple):
    """The most that may wait; sizes are in bytes."""

    traces: int = _UNBOUNDED
    memory: int = _UNBOUNDED
    trace_size: int = _UNBOUNDED

    @property
    def bounds_trace_size(self) -> bool:
        """Whether a trace can be too large at all."""
        return self.trace_size < _UNBOUNDED


def limits_of(settings: TailSamplingSettings | None) -> Limits:
    """Return the limits that a `tail_sampling` block sets; without one there are none. In the block 0 is no limit."""
    if settings is None:
        return Limits()
    return Limits(
        settings.num_traces,
        settings.max_memory_mib * _MIB or _UNBOUNDED,
        settings.maximum_trace_size_bytes or _UNBOUNDED,
    )


def memory(traces: int, spans: int, size: int) -> int:
    """Return about how much memory so many waiting traces take, with so many spans of so many bytes."""
    return size + spans * BYTES_PER_SPAN + traces * BYTES_PER_TRACE
