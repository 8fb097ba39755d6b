"""The calls in a trace that Milvus served: which of them are requests, and what the others are."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from milvus_otel_processor.enrichment import rest
from milvus_otel_processor.requests.kinds import (
    EXISTENCE_CHECK,
    IMPLAUSIBLE,
    OUTER,
    RETRY,
    kind_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milvus_otel_processor.enrichment.catalogue.collection import Collection
    from milvus_otel_processor.enrichment.enricher import Known
    from milvus_otel_processor.enrichment.facts import Facts
    from milvus_otel_processor.enrichment.requests import Request
    from milvus_otel_processor.spans.contract import Trace

_LONGEST = 86_400 * 10**9  # nanoseconds: no request lasts a day
_PROXY = rest.PROXY.decode()


class Served(NamedTuple):
    """A call that Milvus served; times are nanoseconds since 1970."""

    request: Request
    known: Known | None
    operation: str
    """Its gRPC method, or the one that does the same where it came over HTTP."""
    span_id: bytes
    begin: int
    end: int
    caller: int | None
    """The place of the span of its caller: the call's own, or the operation's where that made but this one."""
    kind: str | None
    """What it is if it is no request, see `kinds`."""


class Sorted(NamedTuple):
    """The calls of a trace."""

    served: Sequence[Served]
    not_served: int
    """How many more there are that Milvus has no span of."""


def sort_out(trace: Trace, requests: Sequence[Request], known: Sequence[Known | None]) -> Sorted:
    """Return the calls of the trace that Milvus served. Raises DecodeError at a malformed span."""
    if len(requests) == 1 and requests[0].server is not None:  # nearly always
        return Sorted([_served(trace, requests[0], known[0], alone=True)], 0)
    below: dict[Request, list[Request]] = {}
    for request in requests:
        if request.parent is not None:
            below.setdefault(request.parent, []).append(request)
    found, not_served = [], 0
    for request, one in zip(requests, known, strict=True):
        if request.server is not None:
            alone = request.parent is None or len(below[request.parent]) == 1
            found.append(_served(trace, request, one, alone=alone))
        elif request.method is not None or request not in below:
            not_served += 1
    return Sorted(_with_retries(found) if below else found, not_served)


def described(known: Sequence[Known | None]) -> bytes:
    """Return, of what is known of calls, all that what they are counted under depends on."""
    return "".join(_told(*one) if one is not None else "-" for one in known).encode("utf-8", "surrogatepass")


def _told(facts: Facts, collection: Collection | None, _: str) -> str:
    namespace, name, error = facts.namespace or "", facts.collection or "", facts.error_type
    if collection is not None:
        namespace, name = collection.namespace or "", collection.name or ""
    # The lengths, so that no text can look like the end of itself.
    lengths = f"{len(namespace)} {len(name)} {len(error) if error is not None else None}"
    return f"{lengths} {facts.exists is False} {namespace}{name}{error}"


def _served(trace: Trace, request: Request, known: Known | None, *, alone: bool) -> Served:
    assert request.server is not None
    head = trace.heads[request.server]
    begin, end = head.start_time_unix_nano, head.end_time_unix_nano
    caller = request.client
    if alone and request.parent is not None and request.parent.client is not None:
        caller = request.parent.client
    operation, kind = _operation(request.method or "")
    if kind is None:
        kind = kind_of(operation)
    if kind is None and known is not None and known[0].exists is False:
        kind = EXISTENCE_CHECK
    if not 0 <= end - begin <= _LONGEST:
        kind = IMPLAUSIBLE
    return Served(request, known, operation, head.span_id, begin, end, caller, kind)


def _operation(method: str) -> tuple[str, str | None]:
    if method.startswith(rest.VERSION_1):
        return rest.operation_of(method), OUTER
    if method.startswith("/"):
        return rest.operation_of(method), None
    return method.removeprefix(_PROXY), None


def _with_retries(found: list[Served]) -> list[Served]:
    """Mark the attempts that failed, and were followed by another, of what one operation of a client asked for."""
    last: dict[tuple[Request, str], int] = {}
    for one in found:
        if one.request.parent is not None:
            key = (one.request.parent, one.operation)
            last[key] = max(last.get(key, 0), one.begin)
    return [
        one._replace(kind=RETRY)
        if one.kind is None
        and one.request.parent is not None
        and one.begin < last[one.request.parent, one.operation]
        and one.known is not None
        and one.known[0].error_type is not None
        else one
        for one in found
    ]
