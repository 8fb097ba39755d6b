"""What is sent as one request, and can be cut in halves where that is too large, or refused for one of its spans."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from milvus_otel_processor.spans.groups import GroupRegistry, join

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from milvus_otel_processor.spans.contract import Trace
    from milvus_otel_processor.spans.groups import Group


class Part(NamedTuple):
    """Some spans: how many they are, the request that they make, and each of them under its resource and scope."""

    spans: int
    request: Callable[[], bytes]
    pairs: Callable[[], list[tuple[Group, bytes]]]
    traces: Sequence[Trace] = ()
    """The traces that it is, where it is whole traces."""
    join_traces: Callable[[Sequence[Trace]], bytes] | None = None
    """What serializes those."""

    def halves(self) -> tuple[Part, Part]:
        """Return the second half and the first one: of the traces where there are several, else of the spans."""
        if self.join_traces is not None and len(self.traces) > 1:
            half = len(self.traces) // 2
            return of_traces(self.traces[half:], self.join_traces), of_traces(self.traces[:half], self.join_traces)
        pairs = self.pairs()
        half = len(pairs) // 2
        return _of_pairs(pairs[half:]), _of_pairs(pairs[:half])


def of_traces(traces: Sequence[Trace], join_traces: Callable[[Sequence[Trace]], bytes]) -> Part:
    """Return the part that these traces are; only where one trace has to be cut are its spans looked at one by one."""

    def pairs() -> list[tuple[Group, bytes]]:
        return [pair for trace in traces for pair in zip(trace.groups, trace.spans, strict=True)]

    return Part(sum(map(len, traces)), lambda: join_traces(traces), pairs, traces, join_traces)


def of_request(request: bytes, spans: int) -> Part:
    """Return the part that a serialized request of so many spans is."""

    def pairs() -> list[tuple[Group, bytes]]:
        return [(group, span) for group, found in GroupRegistry().split(request) for span in found]

    return Part(spans, lambda: request, pairs)


def _of_pairs(pairs: list[tuple[Group, bytes]]) -> Part:
    return Part(len(pairs), lambda: join(pairs), lambda: pairs)
