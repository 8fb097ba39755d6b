"""The native store of lines: `milvus_otel_core.Lines`, with what it asks Python for.

Of a plain line, as nearly all are, it reads what has to be known of every line. All else a line says is read in Python when its
request is found, which for most is never.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import milvus_otel_core

from milvus_otel_processor.enrichment.access_log.changes import CHANGES, WRITES
from milvus_otel_processor.enrichment.access_log.contract import DOUBLED, EVICTED, RECEIVED
from milvus_otel_processor.enrichment.access_log.line import Line, collection_named, facts_of, name_of, tell_of
from milvus_otel_processor.enrichment.access_log.records import bodies
from milvus_otel_processor.enrichment.pairing.connection import Candidate
from milvus_otel_processor.spans.calls import call_of

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Sequence

    from milvus_otel_processor.spans.calls import Call


class NativeLineStore:
    """See `contract.LineStore`."""

    def __init__(
        self,
        *,
        own: bytes,
        max_lines: int,
        hold: Callable[[], float],
        clock: Callable[[], float],
        counts: Counter[str],
        is_waiting: Callable[[bytes], bool],
    ) -> None:
        self._hold = hold
        self._clock = clock
        self._counts = counts
        self.native = lines = milvus_otel_core.Lines(max_lines, own, CHANGES | WRITES, _made, is_waiting)
        """What counts requests asks as well."""
        self.knows = lines.knows
        self.known_calls = lines.known_calls
        self.knows_failure = lines.knows_failure
        self.holds_open_failures = lines.holds_open_failures
        self.may_calls_have_failed = lines.may_calls_have_failed
        self.may_have_failed: Callable[[Call], bool] = lines.may_have_failed
        self.of_trace: Callable[[bytes], Sequence[Line]] = lines.of_trace
        self.within: Callable[[str, int, int], Sequence[Line]] = lines.within
        self.learn = lines.learn

    def __len__(self) -> int:
        return len(self.native)

    @property
    def size(self) -> int:
        """About how much memory the lines take; bytes."""
        return self.native.size

    def ingest(
        self,
        request: bytes,
        read: Callable[[str], Sequence[Line]],
        tell: Callable[[str | None, str | None, str | None], object],
    ) -> int:
        """Take in the lines of a log request."""
        now = self._clock()
        too_old = now - self._hold()

        def read_and_tell(body: str) -> Sequence[Line]:
            lines = read(body)
            tell_of(lines, tell)
            return lines

        came = self.native.ingest(request, lambda body: read_and_tell(body.decode("utf-8", "replace")), now, too_old)
        if came is None:
            lines = [line for body in bodies(request) for line in read_and_tell(body)]
            came = self.native.add_lines(lines, now, too_old)
        for kind, lines_of_kind in ((RECEIVED, came.received), (DOUBLED, came.doubled), (EVICTED, came.evicted)):
            if lines_of_kind:
                self._counts[kind] += lines_of_kind
        for method, namespace, collection in came.changes:
            tell(method, name_of(namespace), collection_named(collection))
        return came.lines

    def observe(self, request: bytes) -> None:
        """Take in the calls of a request, if they are wanted."""
        now = self._clock()
        self.native.observe(request, now, now - self._hold())

    @property
    def wants_calls(self) -> bool:
        """Whether all calls have to be known."""
        return self.native.wants_calls

    @property
    def holds_lines_without_trace(self) -> bool:
        """Whether there is any line whose trace id may be a client's own text."""
        return self.native.holds_lines_without_trace

    @property
    def holds_lines_of_version_1(self) -> bool:
        """Whether there is any line of a request of REST's version 1."""
        return self.native.holds_lines_of_version_1

    @property
    def holds_failures_of_version_1(self) -> bool:
        """Whether one of them failed."""
        return self.native.holds_failures_of_version_1

    def candidates_of(self, span_id: bytes, span: Callable[[], bytes]) -> Sequence[Candidate]:
        """Return the lines that may be those of the call with this span."""
        found = self.native.candidates(span_id)
        if found is None:
            call = call_of(span())
            if call is None:
                return ()
            now = self._clock()
            self.native.add_call(call, now, now - self._hold())
            found = self.native.candidates(span_id)
        return [Candidate(line, probability) for line, probability in found or ()]

    def claim(self, line: Line, server: bytes | None = None) -> None:
        """Take in that a line's request has been found."""
        if server is not None:
            line.server = server
        self.native.claim(line.number, server)


def _made(said: tuple[int, int, str, str, bytes | None, str, str], number: int, request: int) -> Line:
    """Return a line that is held, in all that it says."""
    end, cost, method, peer, trace_id, texts, answer = said
    read = facts_of(method, texts, answer)
    assert read is not None, said
    facts, size = read
    size += len(method) + len(peer)
    return Line(end, cost, method, peer, trace_id, facts, size, key=number, number=number, request=request)
