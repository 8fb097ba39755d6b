"""Lines of the access log that wait for the decision over their trace, bounded in number and in time."""

from __future__ import annotations

from collections import deque
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING

from milvus_otel_processor.enrichment.access_log.contract import DOUBLED, EVICTED, RECEIVED
from milvus_otel_processor.enrichment.access_log.line import tell_of
from milvus_otel_processor.enrichment.access_log.records import bodies
from milvus_otel_processor.enrichment.pairing.likelihood import MILLISECOND
from milvus_otel_processor.enrichment.pairing.ordered import Ordered
from milvus_otel_processor.enrichment.pairing.pool import Pool
from milvus_otel_processor.enrichment.rest import VERSION_1
from milvus_otel_processor.spans.calls import call_of, served_calls

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterable, Sequence

    from milvus_otel_processor.enrichment.access_log.line import Line
    from milvus_otel_processor.enrichment.pairing.connection import Candidate
    from milvus_otel_processor.spans.calls import Call

_LARGEST = 64 << 20
"""Bytes that the lines take at the most, however long they are."""
_BYTES_PER_LINE = 600  # beside its texts: objects, and places in dicts and queues
_END_OF_TIME = 1 << 64
_FEW = 16  # failed lines that are looked at one by one
_LINES_PER_TURN = 64  # taken in before the lock is given back, so that no decision waits for a whole request


class Store:
    """See `contract.LineStore`: lines by trace id, and the others in a pool with the calls that they may be of."""

    def __init__(
        self,
        *,
        max_lines: int,
        hold: Callable[[], float],
        clock: Callable[[], float],
        counts: Counter[str],
        is_waiting: Callable[[bytes], bool],
    ) -> None:
        self._max_lines = max_lines
        self._hold = hold
        self._clock = clock
        self._counts = counts
        self._is_waiting = is_waiting
        self._lock = Lock()
        self._arrivals: deque[tuple[float, Line]] = deque()
        self.size = 0
        """About how much memory the lines take; bytes."""
        self._numbers = self._requests = 0
        self._by_trace: dict[bytes, dict[int, Line]] = {}
        self._without_trace: set[int] = set()
        self._nameless = 0
        self._wanted = False
        self._of_version_1: dict[str, Ordered[Line]] = {}
        self._failures_of_version_1 = 0
        self._pool = Pool(max_calls=max_lines, hold=hold, share=self._share, is_settled=self._is_settled)
        self._failures: dict[bytes, int] = {}  # how many lines of failed requests there are, by trace id
        self._nameless_failures = 0
        self._made_up_failures: dict[int, Line] = {}

    def __len__(self) -> int:
        return len(self._arrivals)

    def ingest(
        self,
        request: bytes,
        read: Callable[[str], Sequence[Line]],
        tell: Callable[[str | None, str | None, str | None], object],
    ) -> int:
        """Take in the lines of a log request."""
        lines = [line for body in bodies(request) for line in read(body)]
        tell_of(lines, tell)
        self.add(lines)
        return len(lines)

    def add(self, lines: Iterable[Line]) -> None:
        """Take lines in, each once: a sender that was not answered sends again."""
        now = self._clock()
        too_old = now - self._hold()
        self._requests += 1
        arrivals, rest = self._arrivals, iter(lines)
        while some := list(islice(rest, _LINES_PER_TURN)):
            with self._lock:
                for line in some:
                    if arrivals and (self._is_full or arrivals[0][0] <= too_old):
                        self._forget(too_old)
                    self._add(line, now)

    @property
    def wants_calls(self) -> bool:
        """Whether there are lines without a trace id, so that all calls have to be known to find out whose they are."""
        return self._nameless > 0 or (self._wanted and bool(self._without_trace))

    def observe(self, request: bytes) -> None:
        """Take in the calls of a request, if they are wanted."""
        if self.wants_calls:
            calls = served_calls(request)
            if calls:
                self.add_calls(calls)

    def add_calls(self, calls: Sequence[Call]) -> None:
        """Take in calls that have come; each once."""
        now = self._clock()
        with self._lock:
            self._pool.add_calls(calls, now)

    @property
    def holds_lines_without_trace(self) -> bool:
        """Whether there is any line whose trace id may be a client's own text."""
        return bool(self._without_trace)

    def of_trace(self, trace_id: bytes) -> list[Line]:
        """Return the lines with this trace id."""
        found = self._by_trace.get(trace_id)
        return list(found.values()) if found is not None else []  # one step each, so without the lock

    def learn(self, surplus: int) -> None:
        """Take in by how many nanoseconds a span is longer than the cost in its line, where the trace id has told which that is."""
        self._pool.learn(surplus)

    def candidates_of(self, span_id: bytes, span: Callable[[], bytes]) -> Sequence[Candidate]:
        """Return the lines that may be those of the call with this span."""
        call = self._pool.call(span_id) or call_of(span())
        return self.candidates(call) if call is not None else ()

    def candidates(self, call: Call) -> Sequence[Candidate]:
        """Return the lines that may be this call's by connection, method and times, each with its probability.

        For lines whose trace id may be a client's own text.
        """
        with self._lock:
            self._wanted = True
            if self._pool.call(call.span_id) is None:
                self._pool.add_calls([call], self._clock())
            return self._pool.candidates(call)

    @property
    def holds_lines_of_version_1(self) -> bool:
        """Whether there is any line of a request of REST's version 1."""
        return bool(self._of_version_1)

    @property
    def holds_failures_of_version_1(self) -> bool:
        """Whether one of them failed."""
        return self._failures_of_version_1 > 0

    def within(self, path: str, start: int, end: int) -> list[Line]:
        """Return the lines of this path of REST's version 1 whose time includes this one, to the millisecond.

        Whatever their trace id: the work for such a request is a trace of its own.
        """
        with self._lock:
            lines = self._of_version_1.get(path)
            after = lines.between(end - MILLISECOND, _END_OF_TIME) if lines is not None else ()
            return [line for line in after if line.end - line.cost <= start]

    def knows(self, trace_id: bytes) -> bool:
        """Tell whether a line, or a call that was taken in, may be that of a request in this trace."""
        return trace_id in self._by_trace or bool(self._without_trace) or bool(self._pool.calls_of(trace_id))

    def known_calls(self, trace_id: bytes) -> tuple[int, bool]:
        """Tell how many calls of a trace have been taken in, and whether one of them failed, or a line with its id says so."""
        if may_be_made_up(trace_id):
            for line in self.of_trace(trace_id):
                self.claim(line)
        calls = self._pool.calls_of(trace_id)
        return len(calls), trace_id in self._failures or any(call.status for call in calls)

    def knows_failure(self, trace_id: bytes, holds_calls: bool) -> bool:
        """Tell whether a request of a trace may have failed, as far as lines and calls that were taken in know."""
        calls, failed = self.known_calls(trace_id)
        if failed or self.holds_failures_of_version_1:
            return True
        if not (calls or holds_calls) or not self.holds_open_failures():
            return False
        return not calls or self.may_calls_have_failed(trace_id)

    def may_calls_have_failed(self, trace_id: bytes) -> bool:
        """Tell whether a line of a failed request may be that of one of the trace's calls that have been taken in."""
        return any(map(self.may_have_failed, self._pool.calls_of(trace_id)))

    def holds_open_failures(self) -> bool:
        """Tell whether there is the line of a failed request of which it is not known whose it is.

        From then on all calls are wanted, to find that out.
        """
        if self._nameless_failures:
            return True
        if not self._made_up_failures:
            return False
        # A random trace id looks made up one time in 64: nearly always its trace waits, or has been decided.
        with self._lock:
            some = tuple(islice(self._made_up_failures.values(), _FEW + 1))
            open_ = len(some) > _FEW or any(map(self._share, some))
            self._wanted = self._wanted or open_
        return open_

    def may_have_failed(self, call: Call) -> bool:
        """Tell whether a line of a failed request may be that of this call."""
        with self._lock:
            return self._pool.may_have_failed(call)

    def claim(self, line: Line, server: bytes | None = None) -> None:
        """Take in that a line's request has been found, and the id of Milvus' span of it; or that its trace has come."""
        line.claimed = True
        if server is not None:
            line.server = server
        self._made_up_failures.pop(line.key, None)

    @property
    def _is_full(self) -> bool:
        return len(self._arrivals) >= self._max_lines or self.size >= _LARGEST

    def _share(self, line: Line) -> float:
        return 0.0 if line.trace_id is not None and (line.claimed or self._is_waiting(line.trace_id)) else 1.0

    def _is_settled(self, call: Call) -> bool:
        of_trace = self._by_trace.get(call.trace_id)
        return of_trace is not None and any(line.method == call.method for line in of_trace.values())

    def _add(self, line: Line, now: float) -> None:
        trace_id, key = line.trace_id, line.key
        without_trace = may_be_made_up(trace_id)
        if trace_id is not None:
            of_trace = self._by_trace.get(trace_id)
            if of_trace is None:
                self._by_trace[trace_id] = {key: line}
            elif key in of_trace:
                self._counts[DOUBLED] += 1
                return
            else:
                of_trace[key] = line
        elif key in self._without_trace:
            self._counts[DOUBLED] += 1
            return
        self._numbers += 1
        line.number, line.request = self._numbers, self._requests
        if without_trace:
            self._without_trace.add(key)
            self._pool.add_line(line)
            self._nameless += trace_id is None
        failed = line.facts.error_type is not None
        if failed:
            self._add_failure(line)
        if line.method.startswith(VERSION_1):
            self._of_version_1.setdefault(line.method, Ordered()).add(line.end, line)
            self._failures_of_version_1 += failed
        self._arrivals.append((now, line))
        self.size += _BYTES_PER_LINE + line.size
        self._counts[RECEIVED] += 1

    def _add_failure(self, line: Line) -> None:
        trace_id = line.trace_id
        if trace_id is None:
            self._nameless_failures += 1
            return
        self._failures[trace_id] = self._failures.get(trace_id, 0) + 1
        if may_be_made_up(trace_id):
            self._made_up_failures[line.key] = line

    def _forget(self, too_old: float) -> None:
        arrivals = self._arrivals
        while arrivals and (self._is_full or arrivals[0][0] <= too_old):
            arrived, line = arrivals.popleft()
            self.size -= _BYTES_PER_LINE + line.size
            if arrived > too_old:
                self._counts[EVICTED] += 1
            if line.trace_id is not None:
                self._forget_of_trace(line.trace_id, line)
            else:
                self._nameless -= 1
                self._nameless_failures -= line.facts.error_type is not None
            if may_be_made_up(line.trace_id):
                self._without_trace.discard(line.key)
                self._pool.remove_line(line)
                self._wanted = self._wanted and bool(self._without_trace)
            if line.method.startswith(VERSION_1):
                self._forget_of_version_1(line)

    def _forget_of_version_1(self, line: Line) -> None:
        lines = self._of_version_1[line.method]
        lines.remove(line.end, line)
        if not lines:
            del self._of_version_1[line.method]
        self._failures_of_version_1 -= line.facts.error_type is not None

    def _forget_of_trace(self, trace_id: bytes, line: Line) -> None:
        of_trace = self._by_trace[trace_id]
        del of_trace[line.key]
        if not of_trace:
            del self._by_trace[trace_id]
        if line.facts.error_type is not None:
            self._made_up_failures.pop(line.key, None)
            self._failures[trace_id] -= 1
            if not self._failures[trace_id]:
                del self._failures[trace_id]


def may_be_made_up(trace_id: bytes | None) -> bool:
    """Tell whether a client's own text may stand in the place of the trace id: no id at all, or a UUID without its dashes."""
    return trace_id is None or (trace_id[6] >> 4 == 4 and trace_id[8] >> 6 == 2)
