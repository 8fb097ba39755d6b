"""What a condition looks at: a span, or an event of a span, each within its resource and scope."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milvus_otel_processor.spans.schema import SpanView

if TYPE_CHECKING:
    from milvus_otel_processor.spans.contract import Trace
    from milvus_otel_processor.spans.groups import Group
    from milvus_otel_processor.spans.head import Head
    from milvus_otel_processor.spans.schema import AnyValue, Event, Span


class SpanContext:
    """One span of a trace. Each part is decoded when a condition first asks for it."""

    __slots__ = ("_span", "index", "trace")

    def __init__(self, trace: Trace, index: int = 0) -> None:
        self.trace = trace
        self.move(index)

    def move(self, index: int) -> None:
        """Go to the span at this place: one context, moved, costs less than one for each span."""
        self.index = index
        self._span: Span | None = None

    @property
    def head(self) -> Head:
        """The span's ids, name, kind, times, status, trace state and flags."""
        return self.trace.heads[self.index]

    @property
    def group(self) -> Group:
        """The span's resource and scope."""
        return self.trace.groups[self.index]

    @property
    def attributes(self) -> dict[bytes, AnyValue]:
        """The span's attributes by key."""
        return self.trace.attributes(self.index)

    def attribute(self, key: bytes) -> AnyValue | None:
        """Return the value of one attribute, or None; attributes are not decoded where its key cannot be among them."""
        return self.trace.attribute(self.index, key)

    @property
    def span(self) -> Span:
        """All of the span."""
        if self._span is None:
            self._span = SpanView.FromString(self.trace.span(self.index))
        return self._span


class EventContext(SpanContext):
    """One event of a span."""

    __slots__ = ("event",)

    def __init__(self, trace: Trace, index: int, event: Event) -> None:
        super().__init__(trace, index)
        self.event = event
