"""The source `access_log`: Milvus' own line about each request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milvus_otel_processor.enrichment.grpc_status import grpc_may_have_failed
from milvus_otel_processor.enrichment.pairing.agreement import Evidence, agreed
from milvus_otel_processor.enrichment.pairing.connection import Candidate
from milvus_otel_processor.enrichment.requests import SERVICE
from milvus_otel_processor.enrichment.rest import PROXY, paths_of_version_1
from milvus_otel_processor.spans.calls import call_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milvus_otel_processor.enrichment.access_log.contract import LineStore
    from milvus_otel_processor.enrichment.access_log.line import Line
    from milvus_otel_processor.enrichment.catalogue.catalogue import Catalogue
    from milvus_otel_processor.enrichment.facts import Facts
    from milvus_otel_processor.enrichment.requests import Request
    from milvus_otel_processor.spans.contract import Trace
    from milvus_otel_processor.spans.head import Head

_MILLISECOND = 1_000_000
_TOLERANCE = 100 * _MILLISECOND  # between Milvus' line and its span of one request, with the same trace id
_MOST_PAIRS = 10_000
_HTTP_OVERHEAD = 3 * _MILLISECOND  # what a request over HTTP costs beside its work
_PROXY = PROXY.decode()
_SURE = 0.97
"""How probable an answer has to be where no trace id tells. On recordings with the truth beside them no answer above 0.9 was wrong;
with one span and one line in twenty left out, one in 440 was, with 50 calls at once on a connection."""


class AccessLogSource:
    """Finds the line of each call: by trace id and method, and among several by time; else by connection, method and times."""

    name = "access_log"

    def __init__(self, store: LineStore, catalogue: Catalogue) -> None:
        self._store = store
        self._catalogue = catalogue

    def may_fail(self, trace: Trace) -> bool:
        """Tell whether gRPC may have ended one of the trace's calls with an error, or a line says so that may be of one of them."""
        store = self._store
        calls, failed = store.known_calls(trace.id)
        if failed or (not calls and grpc_may_have_failed(trace)):
            return True
        if store.holds_failures_of_version_1 and _is_of_version_1(trace):
            return True
        if not store.holds_open_failures():
            return False
        if calls:
            return store.may_calls_have_failed(trace.id)
        of_spans = (call_of(trace.span(index)) for index in trace.holding(SERVICE))
        return any(store.may_have_failed(call) for call in of_spans if call is not None)

    def facts(self, trace: Trace, requests: Sequence[Request]) -> dict[int, Facts]:
        """Return what Milvus wrote of each call."""
        of_trace = self._store.of_trace(trace.id)
        others = self._store.holds_lines_without_trace or self._store.holds_lines_of_version_1
        if not of_trace and not others:
            return {}
        if len(of_trace) == len(requests) == 1 and _surely(of_trace[0], requests[0], trace.heads):
            self._claim(of_trace[0], requests[0], trace.heads)
            return {0: of_trace[0].facts}
        lines = _by_method(trace.heads, requests, of_trace) if of_trace else {}
        for place, line in lines.items():
            self._claim(line, requests[place], trace.heads)
        found = {place: line.facts for place, line in lines.items()}
        if others:
            for place, request in enumerate(requests):
                if place not in found and request.server is not None:
                    more = self._without_trace_id(trace, request, request.server)
                    if more is not None:
                        found[place] = more
        return found

    def _claim(self, line: Line, request: Request, heads: Sequence[Head]) -> None:
        if request.server is None:
            self._store.claim(line)
            return
        head = heads[request.server]
        is_new = line.server is None
        self._store.claim(line, head.span_id)
        if is_new and line.method[:1] != "/":
            self._store.learn(_duration(head) - line.cost)

    def _without_trace_id(self, trace: Trace, request: Request, server: int) -> Facts | None:
        """Return what the lines say that may be this call's, where they agree."""
        if request.method is not None and request.method.startswith(_PROXY):
            return self._over_http(trace.heads[server], request.method.removeprefix(_PROXY))
        candidates = self._store.candidates_of(trace.heads[server].span_id, lambda: trace.span(server))
        if not candidates:
            return None
        return agreed(Evidence.of(trace, request, self._catalogue).weighed(candidates), _SURE)

    def _over_http(self, head: Head, operation: str) -> Facts | None:
        """Return what the lines say of the work for a request of REST's version 1, which has a trace of its own."""
        start, end = head.start_time_unix_nano, head.end_time_unix_nano
        lines = [
            line
            for path in paths_of_version_1(operation)
            for line in self._store.within(path, start, end)
            if line.cost - (end - start) <= _HTTP_OVERHEAD and line.work in {None, head.span_id}
        ]
        if not lines:
            return None
        if len(lines) == 1:
            lines[0].work = head.span_id
        return agreed([Candidate(line, 1 / len(lines)) for line in lines], _SURE)


def _is_of_version_1(trace: Trace) -> bool:
    """Tell whether the trace may be the work of a request of REST's version 1, which has no span of its own."""
    return trace.may_hold(PROXY) and any(root.name.startswith(PROXY) for root in trace.roots)


def _by_method(heads: Sequence[Head], requests: Sequence[Request], of_trace: Sequence[Line]) -> dict[int, Line]:
    """Pair the trace's calls with its lines, method by method."""
    calls: dict[str, list[int]] = {}
    for place, request in enumerate(requests):
        if request.method is not None:
            calls.setdefault(request.method, []).append(place)
    found: dict[int, Line] = {}
    # What a span of another request has, of which a late one may be the neighbour, is not this one's.
    free = {None, *(heads[request.server].span_id for request in requests if request.server is not None)}
    for method, places in calls.items():
        lines = [line for line in of_trace if line.method == method and line.server in free]
        if lines:
            found |= _matched(heads, requests, places, lines)
    return found


def _matched(
    heads: Sequence[Head], requests: Sequence[Request], places: list[int], lines: list[Line]
) -> dict[int, Line]:
    """Pair calls of one method with the lines of that method: those of Milvus' own spans by time, the others in their order."""
    served = [(place, heads[server]) for place in places if (server := requests[place].server) is not None]
    found = _plainly(served, lines)
    if found is None:
        found = _nearest(served, lines) if len(served) * len(lines) <= _MOST_PAIRS else _in_order(served, lines)
    rest = [place for place in places if requests[place].server is None]
    taken = set(found.values())
    left = sorted((line for line in lines if line not in taken), key=_end)
    if rest and len(rest) == len(left):
        rest.sort(key=lambda place: heads[requests[place].span].end_time_unix_nano)
        found |= dict(zip(rest, left, strict=True))
    return found


def _surely(line: Line, request: Request, heads: Sequence[Head]) -> bool:
    """Tell quickly whether the one line is that of the one request: it nearly always is."""
    server = request.server
    return (
        server is not None
        and line.method == request.method
        and line.server in (None, heads[server].span_id)
        and _ends_with(line, heads[server])
    )


def _ends_with(line: Line, head: Head) -> bool:
    return 0 <= head.end_time_unix_nano - line.end < _MILLISECOND


def _plainly(served: list[tuple[int, Head]], lines: Sequence[Line]) -> dict[int, Line] | None:
    """Pair spans and lines in the order of their ends, where that leaves no doubt: no two lines are of one millisecond."""
    found = _in_order(served, lines)
    if not found or len({line.end for line in lines}) < len(lines):
        return None
    return found if all(_ends_with(found[place], head) for place, head in served) else None


def _nearest(served: list[tuple[int, Head]], lines: Sequence[Line]) -> dict[int, Line]:
    """Pair spans and lines, the best fit first; what does not fit within the tolerance stays alone."""
    # One end is enough: a span may begin while the request still comes in, or go on until the answer has gone out.
    pairs = sorted(
        (apart, abs(line.cost - _duration(head)), place, number)
        for place, head in served
        for number, line in enumerate(lines)
        if (apart := min(_apart(line, head))) <= _TOLERANCE
    )
    found: dict[int, Line] = {}
    taken = set()
    for _, _, place, number in pairs:
        if place not in found and number not in taken:
            taken.add(number)
            found[place] = lines[number]
    return found


def _in_order(served: list[tuple[int, Head]], lines: Sequence[Line]) -> dict[int, Line]:
    if len(served) != len(lines):
        return {}
    by_end = sorted(served, key=lambda pair: pair[1].end_time_unix_nano)
    return {place: line for (place, _), line in zip(by_end, sorted(lines, key=_end), strict=True)}


def _end(line: Line) -> int:
    return line.end


def _duration(head: Head) -> int:
    return head.end_time_unix_nano - head.start_time_unix_nano


def _apart(line: Line, head: Head) -> tuple[int, int]:
    """Return how far a line and Milvus' span are apart, at the start and at the end of the request; nanoseconds.

    The line has whole milliseconds, cut off, so what is within the line's millisecond is no distance.
    """
    after_start = head.start_time_unix_nano - (line.end - line.cost)
    after_end = head.end_time_unix_nano - line.end
    return _beyond_millisecond(after_start), _beyond_millisecond(after_end)


def _beyond_millisecond(after: int) -> int:
    return -after if after < 0 else max(0, after - _MILLISECOND)
