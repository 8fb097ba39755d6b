"""What the pipeline works with at its two ends, and in between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from milvus_otel_processor.spans.contract import Trace


class Exporter(Protocol):
    """Where kept spans go."""

    def put(self, trace: Trace) -> None:
        """Take the spans of a trace over, all well formed; never waits. Nobody changes the trace after that."""
