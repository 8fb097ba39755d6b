"""The contract of a source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from milvus_otel_processor.enrichment.facts import Facts
    from milvus_otel_processor.enrichment.requests import Request
    from milvus_otel_processor.spans.contract import Trace


class Source(Protocol):
    """Knows something of requests.

    A source is asked once for each trace that has requests, and for a request's span that comes after the decision, in one
    thread, and every span waits for its answer: it must not do any I/O, nor sleep. What it needs from elsewhere it fetches in a
    thread of its own, beforehand.
    """

    name: str
    """The value of `milvus.enrichment` on requests whose collection this source told, and its name in metrics."""

    def facts(self, trace: Trace, requests: Sequence[Request]) -> Mapping[int, Facts]:
        """Return what it knows, by the place in `requests`; requests of which it knows nothing are left out.

        Sources that come earlier in the list go first: of a later one only counts what they did not know. May raise DecodeError
        at a malformed span; must not change the trace.
        """
