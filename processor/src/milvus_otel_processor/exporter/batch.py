"""Some kept traces that go out together, in memory, on disk, or both."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milvus_otel_processor.spans.contract import Trace
    from milvus_otel_processor.storage.segments import Place

_BYTES_PER_SPAN = 128  # its object, the pair that it is in, and that one's place in a list

_LARGE_GROUP = 4096  # bytes; what is smaller hardly counts, and most traces of a batch share it


class Batch:
    """Traces that are sent as one request, if that is not too large.

    `spans` is how many spans they have, `size` about how many bytes of a request they make, `position` and `begun` are where in the
    queue, and when, the batch began.
    """

    def __init__(
        self,
        traces: Sequence[Trace],
        spans: int,
        *,
        size: int,
        position: int = 0,
        begun: float = 0.0,
        place: Place | None = None,
    ) -> None:
        self.traces = traces
        self.spans = spans
        self.position = position
        self.begun = begun
        self.place = place
        """Where it is on disk, if it is."""
        self.size = size
        """About how large a request it makes; bytes."""
        self.held = spans if traces else 0
        """How many of its spans are in memory."""
        self.memory = self.memory_of(size, spans) if traces else 0
        """How much they take there; bytes."""

    @property
    def is_on_disk(self) -> bool:
        """Whether it survives the end of the process."""
        return self.place is not None

    def let_go(self) -> None:
        """Forget what is in memory."""
        self.traces = ()
        self.held = self.memory = 0

    @staticmethod
    def memory_of(size: int, spans: int) -> int:
        """Return how much memory so many spans take, of so many bytes, while they wait to be sent; bytes."""
        return size + spans * _BYTES_PER_SPAN

    @staticmethod
    def size_of(trace: Trace) -> int:
        """Return about how many bytes a trace adds to a request, of its resources those that are large."""
        return trace.size + sum(group.size for group in trace.distinct_groups if group.size > _LARGE_GROUP)
