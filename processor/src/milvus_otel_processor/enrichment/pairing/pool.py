"""All lines without a trace id, and all calls, that wait for each other: by connection and method."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from milvus_otel_processor.enrichment.pairing.connection import Candidate, Common, Connection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from milvus_otel_processor.enrichment.access_log.line import Line
    from milvus_otel_processor.spans.calls import Call

_LEFT = 0.5  # of a line: what a second pass needs at the least
_CALLS_AVERAGED = 200
_MOST_VOTES = 20


class Pool:
    """Finds out which line is that of a call: first within a connection, then for calls whose span does not say where from.

    Calls are forgotten `hold()` seconds after they came, and when there are more than `max_calls`, the oldest first; lines when
    they are removed. `share` tells how much of a line there is to give away: 0 for one that is another's for sure. `is_settled`
    tells whether a call is known to have a line elsewhere. Calls of its methods are serialized by the caller.
    """

    def __init__(
        self,
        *,
        max_calls: int,
        hold: Callable[[], float],
        share: Callable[[Line], float],
        is_settled: Callable[[Call], bool],
    ) -> None:
        self._max_calls = max_calls
        self._hold = hold
        self._common = Common(share, is_settled)
        self._connections: dict[tuple[str, str], Connection] = {}
        self._methods: dict[str, Connection] = {}
        self._votes = 0
        self._arrivals: deque[tuple[float, Call]] = deque()
        self._calls: dict[bytes, Call] = {}
        self._of_trace: dict[bytes, list[Call]] = {}

    def __len__(self) -> int:
        return len(self._arrivals)

    def add_line(self, line: Line) -> None:
        """Take in a line that does not say its trace."""
        method = line.method
        self._connection(line.peer, method).add_line(line)
        of_method = self._methods.get(method)
        if of_method is not None:
            of_method.add_line(line)

    def remove_line(self, line: Line) -> None:
        """Forget a line."""
        peer, method = line.peer, line.method
        self._connection(peer, method).remove_line(line)
        of_method = self._methods.get(method)
        if of_method is not None:
            of_method.remove_line(line)
        self._tidy(peer, method)

    def add_calls(self, calls: Iterable[Call], now: float) -> None:
        """Take in calls that came at `now`; each once."""
        for call in calls:
            if call.span_id in self._calls:
                continue
            self._calls[call.span_id] = call
            self._of_trace.setdefault(call.trace_id, []).append(call)
            self._arrivals.append((now, call))
            self._of(call).add_call(call)
        self.forget(now)

    def forget(self, now: float) -> None:
        """Forget calls that have been held for long enough."""
        too_old, arrivals = now - self._hold(), self._arrivals
        while arrivals and (arrivals[0][0] <= too_old or len(arrivals) > self._max_calls):
            _, call = arrivals.popleft()
            self._of(call).remove_call(call)
            del self._calls[call.span_id]
            of_trace = self._of_trace[call.trace_id]
            of_trace.remove(call)
            if not of_trace:
                del self._of_trace[call.trace_id]
            self._tidy(call.peer, call.method)

    def learn(self, surplus: int) -> None:
        """Take in by how many nanoseconds a span is longer than the cost in its line, where the trace id has told which that is."""
        self._votes = max(-_MOST_VOTES, min(_MOST_VOTES, self._votes + (1 if surplus >= 0 else -1)))
        self._common.within = self._votes < 0

    def call(self, span_id: bytes) -> Call | None:
        """Return the call of this span, if it is held."""
        return self._calls.get(span_id)

    def calls_of(self, trace_id: bytes) -> Sequence[Call]:
        """Return the calls of a trace that are held."""
        return self._of_trace.get(trace_id, ())

    def candidates(self, call: Call) -> Sequence[Candidate]:
        """Return the lines that may be that of a call that is held, each with its probability."""
        found = self._of(call).candidates(call)
        none = 1 - sum(one.probability for one in found)
        self._common.lost += (none - self._common.lost) / _CALLS_AVERAGED
        return found

    def may_have_failed(self, call: Call) -> bool:
        """Tell whether the line of a failed request is not impossible for this call."""
        return self._of(call).may_have_failed(call)

    def _of(self, call: Call) -> Connection:
        return self._method(call.method) if call.peer is None else self._connection(call.peer, call.method)

    def _connection(self, peer: str, method: str) -> Connection:
        found = self._connections.get((peer, method))
        if found is None:
            found = self._connections[peer, method] = Connection(self._common)
        return found

    def _method(self, method: str) -> Connection:
        """Return all lines of a method, and its calls without a peer: gathered when first needed, as most calls have one."""
        found = self._methods.get(method)
        if found is None:
            found = self._methods[method] = Connection(self._common, share=self._left, all_calls=False)
            held = (
                one for (_, of), connection in self._connections.items() if of == method for one in connection.lines
            )
            for line in sorted(held, key=lambda line: (line.end, line.number)):
                found.add_line(line)
        return found

    def _left(self, line: Line) -> float:
        """Return how much of a line is left when the calls of its connection have had theirs."""
        connection = self._connections.get((line.peer, line.method))
        left = connection.share_left(line) if connection is not None else self._common.share(line)
        return left if left >= _LEFT else 0.0

    def _tidy(self, peer: str | None, method: str) -> None:
        if peer is not None and not self._connections.get((peer, method), True):
            del self._connections[peer, method]
        if not self._methods.get(method, True):
            del self._methods[method]
