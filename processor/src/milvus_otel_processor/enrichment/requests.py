"""Recognises the Milvus requests in a trace, whatever client sent them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milvus_otel_processor.enrichment.facts import MILVUS
from milvus_otel_processor.otlp.schema import AttributesView

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milvus_otel_processor.otlp.schema import Head
    from milvus_otel_processor.trace import Trace

SERVICE = b"milvus.proto.milvus.MilvusService"
"""The gRPC service that Milvus offers to its clients; what its parts ask each other goes to other services."""

_DB_SYSTEM = b"db.system"  # also begins the newer name, db.system.name
_DB_SYSTEM_KEYS = (b"db.system.name", b"db.system")
_MILVUS = MILVUS.encode()
_RPC_SERVICE, _RPC_METHOD = b"rpc.service", b"rpc.method"
_SERVER = 2  # SpanKind


class Request:
    """One request: an operation of an instrumented client, or one gRPC call, as far as its spans have arrived.

    `client` and `server` are the places in the trace of the caller's span and of Milvus' own, `method` is the gRPC method
    (`Search`) or None for an operation. `parent` is the operation that a call was made for. `spans` are the places of all spans
    whose nearest request it is, its own included.
    """

    __slots__ = ("client", "method", "parent", "server", "spans")

    def __init__(self, method: str | None, *, client: int | None = None, server: int | None = None) -> None:
        self.method = method
        self.client = client
        self.server = server
        self.parent: Request | None = None
        self.spans: list[int] = []

    @property
    def span(self) -> int:
        """The place of the request's own span: the caller's if there is one, else Milvus'."""
        place = self.client if self.client is not None else self.server
        assert place is not None
        return place


def may_have_requests(trace: Trace) -> bool:
    """Tell by the raw bytes whether there can be a request: False is a sure no."""
    return trace.may_hold(SERVICE) or (trace.may_hold(_DB_SYSTEM) and trace.may_hold(_MILVUS))


def find_requests(trace: Trace) -> list[Request]:
    """Return the requests of the trace, in the order of their spans. Raises DecodeError at a malformed span."""
    heads = trace.heads
    found: dict[int, Request] = {}
    for index, span in enumerate(trace.spans):
        request = _request(index, span, heads[index])
        if request is not None:
            found[index] = request
    return _connect(heads, found) if found else []


def _request(index: int, span: bytes, head: Head) -> Request | None:
    if SERVICE in span:
        method = method_of_name(head.name) or _method_of_attributes(span)
        if method is not None:
            return Request(method, server=index) if head.kind == _SERVER else Request(method, client=index)
    if head.kind != _SERVER and _DB_SYSTEM in span and _MILVUS in span and _is_of_milvus(span):
        return Request(None, client=index)
    return None


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


def _method_of_attributes(span: bytes) -> str | None:
    texts = {pair.key: pair.value.string_value for pair in AttributesView.FromString(span).attributes}
    method = texts.get(_RPC_METHOD, b"")
    if b"/" in method:  # newer conventions: the whole path
        return method_of_name(method)
    if method and texts.get(_RPC_SERVICE) == SERVICE:
        return method.decode("utf-8", "replace")
    return None


def _is_of_milvus(span: bytes) -> bool:
    texts = {pair.key: pair.value.string_value for pair in AttributesView.FromString(span).attributes}
    return next((texts[key] for key in _DB_SYSTEM_KEYS if key in texts), None) == _MILVUS


def _connect(heads: Sequence[Head], found: dict[int, Request]) -> list[Request]:
    """Give each span to its nearest request, join the two spans of one call, and find what each call was made for."""
    place = {head.span_id: index for index, head in enumerate(heads)}
    owners = _owners(heads, place, found)
    joined: dict[Request, Request] = {}
    for index, request in found.items():
        above = place.get(heads[index].parent_span_id)
        parent = owners.get(above) if above is not None else None
        if parent is None or parent is request:
            continue
        if request.server is not None and _calls(parent, request):
            parent.server = request.server
            joined[request] = parent
        else:
            request.parent = parent
    for index, owner in owners.items():
        if owner is not None:
            joined.get(owner, owner).spans.append(index)
    requests = [request for request in found.values() if request not in joined]
    for request in requests:
        if request.parent is not None:
            request.parent = joined.get(request.parent, request.parent)
    return requests


def _calls(parent: Request, request: Request) -> bool:
    return parent.client is not None and parent.server is None and parent.method == request.method


def _owners(heads: Sequence[Head], place: dict[bytes, int], found: dict[int, Request]) -> dict[int, Request | None]:
    """Return for each span the nearest request at or above it; None where the way up ends, or runs in a circle, without one."""
    known: dict[int, Request | None] = dict(found)
    for index in range(len(heads)):
        path = []
        at: int | None = index
        while at is not None and at not in known:
            known[at] = None  # until the way up has an answer; a circle ends here
            path.append(at)
            at = place.get(heads[at].parent_span_id)
        answer = known[at] if at is not None else None
        if answer is not None:
            known.update(dict.fromkeys(path, answer))
    return known
