"""Spans made for tests."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from milvus_otel_processor.replay.kept_span import KeptSpan

if TYPE_CHECKING:
    from collections.abc import Iterator

_numbers: Iterator[int] = count(1)
MILLISECOND = 1_000_000


def kept_span(name: str, parent: KeptSpan | None = None, **changes: Any) -> KeptSpan:
    """Return a span of 10 ms of the service `standalone`, in its parent's trace if it has one."""
    values: dict[str, Any] = {
        "trace_id": parent.trace_id if parent else f"{next(_numbers):032x}",
        "span_id": f"{next(_numbers):016x}",
        "parent_id": parent.span_id if parent else "",
        "name": name,
        "service": "standalone",
        "start": 0,
        "end": 10 * MILLISECOND,
        "kind": "internal",
        "is_error": False,
        "attributes": {},
    }
    return KeptSpan(**{**values, **changes})


def search_trace(*, is_error: bool = False, policy: str = "one-in-ten") -> list[KeptSpan]:
    """Return a search by an application: its span, the server's, and the C++ core's."""
    attributes = {"db.operation.name": "search", "db.collection.name": "products", "tailsampling.policy": policy}
    client = kept_span("search products", service="shop", attributes=attributes, is_error=is_error, kind="client")
    server = kept_span(
        "milvus.proto.milvus.MilvusService/Search",
        client,
        start=2 * MILLISECOND,
        end=9 * MILLISECOND,
        kind="server",
        attributes={"db.collection.name": "products"},
    )
    core = kept_span("SegCoreSearch", server, service="segcore", start=4 * MILLISECOND, end=6 * MILLISECOND)
    return [client, server, core]


def failed_plain_search() -> list[KeptSpan]:
    """Return a search by an application without a client of ours, on a collection that is not there."""
    names = {"db.collection.name": "reviews", "milvus.enrichment": "access_log", "tailsampling.policy": "errors"}
    failure = {
        "error.type": "100",
        "milvus.error.message": "collection not found[database=default][collection=reviews]",
    }
    name = "milvus.proto.milvus.MilvusService/Search"
    server = kept_span(name, kind="server", is_error=True, attributes=names | failure)
    return [server, kept_span("Proxy-Search", server, attributes=names)]
