"""The contract of what holds the lines of the access log: a store in Python, and a native one that has to say the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from milvus_otel_processor.enrichment.access_log.line import Line
    from milvus_otel_processor.enrichment.pairing.connection import Candidate
    from milvus_otel_processor.spans.calls import Call

RECEIVED, DOUBLED, EVICTED = "received", "doubled", "evicted"
MALFORMED, FOREIGN = "malformed", "foreign"
"""What became of lines, in metrics: `received` counts those that were taken in, `evicted` those of them that had to go before
their time because there were too many; `doubled`, `malformed` and, of another format, `foreign` ones were not taken in."""


class LineStore(Protocol):
    """Lines by trace id, and those whose trace id is not that of a trace, with the calls that they may be of.

    Safe to use from any thread. Lines are forgotten `hold()` seconds after they came, by `clock`, or when there are more than
    `max_lines`, or they take 64 MiB, the oldest first; calls alike. `is_waiting` tells whether a trace with this id waits for its
    decision: its lines are not taken for another's.
    """

    def __len__(self) -> int:
        """Return how many lines wait."""

    @property
    def size(self) -> int:
        """About how much memory the lines take; bytes."""

    def ingest(
        self,
        request: bytes,
        read: Callable[[str], Sequence[Line]],
        tell: Callable[[str | None, str | None, str | None], object],
    ) -> int:
        """Take in the lines of a serialized ExportLogsServiceRequest, each once: a sender that was not answered sends again.

        `read` returns the lines that the body of a record holds, and counts what is none; a store may read plain lines by itself.
        `tell` is told operation, database and collection of requests that did not fail: at the least of those that change
        something, each once. Returns how many lines there were. Raises DecodeError where the request is not valid protobuf.
        """

    def observe(self, request: bytes) -> None:
        """Look at a serialized ExportTraceServiceRequest that has come, valid protobuf, for calls that lines may be of."""

    @property
    def wants_calls(self) -> bool:
        """Whether there are lines without a trace id, so that all calls have to be known to find out whose they are."""

    @property
    def holds_lines_without_trace(self) -> bool:
        """Whether there is any line whose trace id may be a client's own text."""

    @property
    def holds_lines_of_version_1(self) -> bool:
        """Whether there is any line of a request of REST's version 1."""

    @property
    def holds_failures_of_version_1(self) -> bool:
        """Whether one of them failed."""

    def of_trace(self, trace_id: bytes) -> Sequence[Line]:
        """Return the lines with this trace id."""

    def within(self, path: str, start: int, end: int) -> Sequence[Line]:
        """Return the lines of this path of REST's version 1 whose time includes this one, to the millisecond.

        Whatever their trace id: the work for such a request is a trace of its own.
        """

    def candidates_of(self, span_id: bytes, span: Callable[[], bytes]) -> Sequence[Candidate]:
        """Return the lines that may be those of the call with this span by connection, method and times, each with its probability.

        For lines whose trace id may be a client's own text. `span` returns the span where the call has not been taken in.
        """

    def knows(self, trace_id: bytes) -> bool:
        """Tell whether a line, or a call that was taken in, may be that of a request in this trace."""

    def known_calls(self, trace_id: bytes) -> tuple[int, bool]:
        """Tell how many calls of a trace have been taken in, and whether one of them failed, or a line with its id says so.

        The trace is here, so that the id of such a line is no client's own text.
        """

    def knows_failure(self, trace_id: bytes, holds_calls: bool) -> bool:
        """Tell whether a request of a trace may have failed, as far as lines and calls that were taken in know; False is sure.

        `holds_calls` is whether its spans hold the service's name: where no call of it was taken in, there may be some.
        """

    def holds_open_failures(self) -> bool:
        """Tell whether there is the line of a failed request of which it is not known whose it is.

        From then on all calls are wanted, to find that out.
        """

    def may_calls_have_failed(self, trace_id: bytes) -> bool:
        """Tell whether a line of a failed request may be that of one of the trace's calls that have been taken in."""

    def may_have_failed(self, call: Call) -> bool:
        """Tell whether a line of a failed request may be that of this call."""

    def claim(self, line: Line, server: bytes | None = None) -> None:
        """Take in that a line's request has been found, and the id of Milvus' span of it; or that its trace has come."""

    def learn(self, surplus: int) -> None:
        """Take in by how many nanoseconds a span is longer than the cost in its line, where the trace id has told which that is."""
