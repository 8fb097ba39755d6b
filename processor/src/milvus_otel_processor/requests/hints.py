"""What it usually means when one stage took most of a request's time, and what to change; docs/reading-a-trace.md tells more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milvus_otel_processor.remembering import remember
from milvus_otel_processor.requests.record import (
    CLIENT,
    COORDINATORS,
    CORE,
    QUERY_NODES,
    QUEUE,
    REDUCE,
    STAGES,
    WAIT,
    WRITE,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

ATTRIBUTE: Final = "milvus.time.hint"
"""The attribute of a request's span that has the sentence."""

LEAST_SECONDS: Final = 0.01
"""A stage that took less needs no change."""

SEARCH, QUERY, WRITES, OTHER = "search", "query", "write", "other"
KINDS = {
    "search": SEARCH,
    "hybridsearch": SEARCH,
    "query": QUERY,
    "get": QUERY,
    "insert": WRITES,
    "upsert": WRITES,
    "delete": WRITES,
}
"""The kinds of operations, in small letters and without underlines; all others are OTHER."""

_IN_QUEUE = (
    "Most of the time went by in Milvus' proxy before the work began: many requests at once, or an expensive check. Send fewer at "
    "once, or larger batches; add proxies."
)
_OUTSIDE = (
    "Most of the time went by outside Milvus: network, TLS, or the client packing and unpacking data. Look at the distance to "
    "Milvus, at output fields and batch size, and at how busy the client is."
)
_NEWEST = (
    "Most of the time was the wait until the query nodes had seen the newest writes. Consistency level Bounded or Eventually waits "
    "less or not at all; Strong always waits for the next time tick."
)
_ASKED = (
    "Most of the time was spent on asking Milvus' coordinators for a timestamp, the schema, or where shards are. That is usual for "
    "the first request after a change of the collection; else look at how busy coordinators and etcd are."
)

HINTS: Final[dict[tuple[str, str], str]] = {
    **{(CLIENT, kind): _OUTSIDE for kind in (SEARCH, QUERY, WRITES, OTHER)},
    **{(QUEUE, kind): _IN_QUEUE for kind in (SEARCH, QUERY, WRITES)},
    **{(COORDINATORS, kind): _ASKED for kind in (SEARCH, QUERY, WRITES)},
    (
        COORDINATORS,
        OTHER,
    ): "Most of the time was work of Milvus' coordinators, which is what such a request asks for. Where it takes "
    "seconds, look at how busy coordinators and etcd are, and at what else is created, loaded or dropped meanwhile.",
    **{(WAIT, kind): _NEWEST for kind in (SEARCH, QUERY)},
    (
        WAIT,
        WRITES,
    ): "Most of the time was the wait until the query nodes had seen the newest writes, because the rows to change were "
    "looked up first. A delete by primary key does not wait.",
    (
        QUERY_NODES,
        SEARCH,
    ): "Most of the time was at the query nodes, beside what their C++ core tells: requests wait there for their "
    "turn (span schedule), or searches have no span of their own. Send fewer at once, search fewer segments, add CPU or replicas.",
    (
        QUERY_NODES,
        QUERY,
    ): "Most of the time was at the query nodes, beside what their C++ core tells: requests wait there for their "
    "turn (span schedule), or many rows are read. Ask for fewer rows and fields, add CPU or replicas.",
    (
        CORE,
        SEARCH,
    ): "Most of the time was the search of segments itself. Look at the index and its search parameters (ef, nprobe), at "
    "rows that have no index yet, at filters on fields without one, and at the number of segments.",
    (
        CORE,
        QUERY,
    ): "Most of the time was the reading of rows in segments. An index on the fields of the filter, fewer output fields and a "
    "limit make it shorter.",
    (
        WRITE,
        WRITES,
    ): "Most of the time was the write to Milvus' log (message queue, or Woodpecker). Larger batches write less often; else "
    "look at the disk or the broker behind it.",
    (
        REDUCE,
        SEARCH,
    ): "Most of the time was the putting together of results in the proxy. A smaller limit, fewer queries at once and "
    "fewer output fields make it shorter.",
    (
        REDUCE,
        QUERY,
    ): "Most of the time was the putting together of rows in the proxy. A smaller limit and fewer output fields make it "
    "shorter.",
}
"""The sentence for a stage and a kind of operation. Where there is none, nothing is said."""


def hint(operation: str, times: Sequence[float]) -> str | None:
    """Return what it means that one stage took more than half of the time that a caller waited; None where none did.

    `operation` is one of Milvus' methods or of pymilvus' (`HybridSearch`, `hybrid_search`), `times` are seconds by stage, in the
    order of `STAGES`, of one request or of several together. Nothing is said of a stage that took less than `LEAST_SECONDS`.
    """
    longest = max(times)
    if longest < LEAST_SECONDS or 2 * longest <= sum(times):
        return None
    return HINTS.get((STAGES[times.index(longest)], kind_of(operation)))


@remember(256)
def kind_of(operation: str) -> str:
    """Return which kind of operation this is: SEARCH, QUERY, WRITES or OTHER."""
    return KINDS.get(operation.replace("_", "").lower(), OTHER)
