"""Recognises the Milvus requests in a trace, whatever client sent them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milvus_otel_processor.enrichment import rest
from milvus_otel_processor.enrichment.facts import MILVUS
from milvus_otel_processor.remembering import remember
from milvus_otel_processor.spans.span import NO_PARENT
from milvus_otel_processor.spans.wanted import CallMarks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milvus_otel_processor.spans.contract import Trace
    from milvus_otel_processor.spans.groups import Group
    from milvus_otel_processor.spans.head import Head
    from milvus_otel_processor.spans.schema import AnyValue
    from milvus_otel_processor.spans.wanted import PlainCall

SERVICE = b"milvus.proto.milvus.MilvusService"
"""The gRPC service that Milvus offers to its clients; what its parts ask each other goes to other services."""

DB_SYSTEM = b"db.system"
"""What every span of a database's client has: the older name of the attribute, with which the newer one begins."""
_SYSTEM_KEYS = (b"db.system.name", b"db.system")
_MILVUS = MILVUS.encode()
_PARTS = b"milvus.proto."  # of the services by which Milvus' parts talk to each other, too
_SERVICE_NAME, _NODE_ID, _SEGCORE = b"service.name", b"NodeID", b"segcore"
_RPC_SERVICE, _RPC_METHOD = b"rpc.service", b"rpc.method"
_INTERNAL, _SERVER = 1, 2  # SpanKind


class Request:
    """One request: an operation of an instrumented client, or one call over gRPC or HTTP, as far as its spans have arrived.

    `client` and `server` are the places in the trace of the caller's span and of Milvus' own, `method` is the gRPC method
    (`Search`) or the path (`/v2/vectordb/entities/search`), or None for an operation. `parent` is the operation that a call was
    made for. `spans` are the places of all spans whose nearest request it is, its own included.
    """

    __slots__ = ("client", "method", "only_milvus", "parent", "server", "spans")

    def __init__(self, method: str | None, *, client: int | None = None, server: int | None = None) -> None:
        self.method = method
        self.client = client
        self.server = server
        self.parent: Request | None = None
        self.spans: list[int] = []
        self.only_milvus = False
        """Whether all of `spans` but its own are known to be of Milvus itself."""

    def spans_holding(self, trace: Trace, text: bytes) -> Sequence[int]:
        """Return the places of those of its spans in whose bytes these occur."""
        # The trace finds them quicker, but to ask it of all its spans for each of many requests would be quadratic.
        if len(self.spans) == len(trace):
            return trace.holding(text)
        return [place for place in self.spans if text in trace.span(place)]

    @property
    def span(self) -> int:
        """The place of the request's own span: the caller's if there is one, else Milvus'."""
        place = self.client if self.client is not None else self.server
        assert place is not None
        return place


def find_requests(trace: Trace) -> list[Request]:
    """Return the requests of the trace, in the order of their spans.

    Raises DecodeError where a span that it has to look into is malformed.
    """
    plain = trace.plain_calls(CALLS)
    return _plain(plain) if plain is not None else look_for_requests(trace)


def look_for_requests(trace: Trace) -> list[Request]:
    """Do the same by a closer look at the spans, also where the requests are plain to see."""
    heads = trace.heads
    of_others = [group for group in trace.distinct_groups if not is_milvus(group)]
    foreign = trace.places(frozenset(of_others)) if of_others else ()
    found: dict[int, Request] = {}
    looked_at: dict[int, Head] = {}  # a head is made anew each time that it is asked for
    # Most spans are Milvus' steps on the way, which are no calls: to look into those would cost the most.
    for index in trace.holding(SERVICE):
        looked_at[index] = head = heads[index]
        request = _call(trace, head, index)
        if request is not None:
            found[index] = request
    for mark in _rest_marks(trace):
        for index in trace.holding(mark):
            path = _path(heads[index])
            if path is not None and index not in found and is_milvus(trace.groups[index]):
                found[index] = Request(path, server=index)
    for index in foreign:
        if index not in found and _is_of_milvus(trace, index):
            found[index] = Request(None, client=index)
    if not found:
        return []
    request = _single(looked_at, found)
    if request is None or not _fill(trace, request, foreign):
        return _connect(trace, dict(sorted(found.items())))
    return [request]


def _plain(calls: Sequence[PlainCall]) -> list[Request]:
    requests = []
    for name, client, server, spans, is_alone, _ in calls:
        request = Request(method_of_name(name), client=client, server=server)
        request.spans = spans
        request.only_milvus = is_alone
        requests.append(request)
    if len(calls) > 1:
        for request, call in zip(requests, calls, strict=True):
            request.parent = requests[call[-1]] if call[-1] is not None else None
    return requests


def _call(trace: Trace, head: Head, index: int) -> Request | None:
    """Return the call that this is Milvus' own span of, or its caller's; None where it is neither."""
    if head.kind == _INTERNAL:
        return None
    method = method_of_name(head.name)
    if method is None and head.kind >= _SERVER and _PARTS not in head.name:
        method = _method_of_attributes(trace.attributes(index))
    if method is None:
        return None
    return Request(method, server=index) if head.kind == _SERVER else Request(method, client=index)


def may_hold_requests(trace: Trace) -> bool:
    """Tell whether the trace may hold a request of Milvus; False is a sure no."""
    return trace.may_hold(SERVICE) or trace.may_hold(DB_SYSTEM) or bool(_rest_marks(trace))


def _rest_marks(trace: Trace) -> tuple[bytes, ...]:
    """Return which of the marks of requests over HTTP the trace may hold."""
    marks = [mark for mark in rest.PATHS if trace.may_hold(mark)]
    if not marks and trace.may_hold(rest.PROXY):
        marks = [rest.PROXY for root in trace.roots if root.name.startswith(rest.PROXY)][:1]
    return tuple(marks)


def _path(head: Head) -> str | None:
    """Return the path of the request over HTTP that this is Milvus' own span of, or its name where it has no path; else None."""
    if head.kind != _INTERNAL:
        return None
    if head.name.startswith(rest.PROXY):
        return head.name.decode("utf-8", "replace") if head.parent_span_id in NO_PARENT else None
    return rest.path_of_span(head.name)


def _single(heads: dict[int, Head], found: dict[int, Request]) -> Request | None:
    """Return the request if there is but one: Milvus' span of it, alone or below the caller's. `heads` are those of gRPC calls."""
    if len(found) == 1:
        ((_, request),) = found.items()
        return request if request.server is not None else None
    if len(found) == 2:
        one, other = found
        for caller, callee in ((one, other), (other, one)):
            request = found[caller]
            if (
                request.method == found[callee].method
                and request.client == caller
                and found[callee].server == callee
                and caller in heads
                and callee in heads
                and heads[callee].parent_span_id == heads[caller].span_id
            ):
                return Request(request.method, client=caller, server=callee)
    return None


def _fill(trace: Trace, request: Request, foreign: Sequence[int]) -> bool:
    """Give all that Milvus did to the one request that there is; return False where others have spans below it, too."""
    heads = trace.heads
    for index in foreign:
        if index != request.client and heads[index].parent_span_id not in NO_PARENT:
            return False
    request.spans = list(range(len(heads)))
    for index in reversed(foreign):
        if index != request.span:
            del request.spans[index]
    request.only_milvus = True
    return True


def is_milvus(group: Group) -> bool:
    """Tell whether spans are of Milvus itself: its Go parts say their node's id, and its C++ core is a service by itself."""
    return group.once(_is_milvus)


def _is_milvus(group: Group) -> bool:
    attributes = group.resource_attributes
    service = attributes.get(_SERVICE_NAME)
    return service is not None and (_NODE_ID in attributes or service.string_value == _SEGCORE)


CALLS = CallMarks(
    service=SERVICE,
    parts=_PARTS,
    others=frozenset(rest.PATHS),
    roots=rest.PROXY,
    operations=DB_SYSTEM,
    operation_keys=_SYSTEM_KEYS,
    operation_value=_MILVUS,
    is_own=is_milvus,
)
"""How the calls of Milvus' clients are told from other spans."""


@remember(4096)
def method_of_name(name: bytes) -> str | None:
    """Return the method that a span's name tells, or None.

    The forms: `milvus.proto.milvus.MilvusService/Search` (Java, Go, Milvus itself), `/milvus…/Search` (Python),
    `grpc.milvus…/Search` (Node).
    """
    path, slash, method = name.rpartition(b"/")
    if not slash or not path.endswith(SERVICE):
        return None
    before = path[: -len(SERVICE)]
    return method.decode("utf-8", "replace") or None if not before or before[-1:] in b"/." else None


def _method_of_attributes(attributes: dict[bytes, AnyValue]) -> str | None:
    method = _text(attributes, _RPC_METHOD)
    if b"/" in method:  # newer conventions: the whole path
        return method_of_name(method)
    if method and _text(attributes, _RPC_SERVICE) == SERVICE:
        return method.decode("utf-8", "replace")
    return None


def _text(attributes: dict[bytes, AnyValue], key: bytes) -> bytes:
    return attributes[key].string_value if key in attributes else b""


def _is_of_milvus(trace: Trace, index: int) -> bool:
    systems = (trace.attribute(index, key) for key in _SYSTEM_KEYS)
    system = next((value for value in systems if value is not None), None)
    return system is not None and system.string_value == _MILVUS


def _connect(trace: Trace, found: dict[int, Request]) -> list[Request]:
    """Give each span to its nearest request, join the two spans of one call, and find what each call was made for."""
    heads = trace.heads
    ids, parents = [head.span_id for head in heads], [head.parent_span_id for head in heads]
    place = {span_id: index for index, span_id in enumerate(ids)}
    for no_id in NO_PARENT:
        place.pop(no_id, None)  # else a span that lacks its id would be the parent of every root
    owners = _owners(parents, place, found)
    joined: dict[Request, Request] = {}
    for index, request in found.items():
        above = place.get(parents[index])
        parent = owners.get(above) if above is not None else None
        if parent is None or parent is request:
            continue
        if request.client is None and _calls(parent, request):
            parent.server = request.server
            joined[request] = parent
        else:
            request.parent = parent
    for index in range(len(heads)):
        if (owner := owners[index]) is not None:
            joined.get(owner, owner).spans.append(index)
    requests = [request for request in found.values() if request not in joined]
    for request in requests:
        if request.parent is not None:
            outer = joined.get(request.parent, request.parent)
            request.parent = outer if outer is not request else None
    return requests


def _calls(parent: Request, request: Request) -> bool:
    return parent.client is not None and parent.server is None and parent.method == request.method


def _owners(parents: list[bytes], place: dict[bytes, int], found: dict[int, Request]) -> dict[int, Request | None]:
    """Return for each span the nearest request at or above it; None where the way up ends, or runs in a circle, without one."""
    known: dict[int, Request | None] = dict(found)
    # From the end, because a parent ends, and arrives, after its children.
    for index in range(len(parents) - 1, -1, -1):
        if index in known:
            continue
        at = place.get(parents[index])
        if at is None:
            known[index] = None
        elif at in known:
            known[index] = known[at]
        else:
            _climb(parents, place, known, index)
    return known


def _climb(parents: list[bytes], place: dict[bytes, int], known: dict[int, Request | None], index: int) -> None:
    path = []
    at: int | None = index
    while at is not None and at not in known:
        known[at] = None  # until the way up has an answer; a circle ends here
        path.append(at)
        at = place.get(parents[at])
    known.update(dict.fromkeys(path, known[at] if at is not None else None))
