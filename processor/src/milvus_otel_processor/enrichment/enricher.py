"""Gives the spans of each request in a trace what is known of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milvus_otel_processor.enrichment.facts import encoded
from milvus_otel_processor.enrichment.sources import client
from milvus_otel_processor.enrichment.subtree import nearest_request

if TYPE_CHECKING:
    from collections import Counter

    from milvus_otel_processor.enrichment.facts import Encoded
    from milvus_otel_processor.trace import Trace

CLIENT = "client"
"""The name of the source, in metrics."""


class Enricher:
    """Appends attributes to the spans of Milvus requests, one trace at a time; never waits for anything."""

    def __init__(self, enriched_spans: Counter[str]) -> None:
        self._enriched_spans = enriched_spans

    def enrich(self, trace: Trace) -> Encoded | None:
        """Append to each span of a request's subtree what is known of the request; return what a late span is to be given.

        That is nothing unless all requests of the trace agree. An attribute that a span has is not overwritten. Raises
        DecodeError at a malformed span; to enrich a trace a second time adds nothing.
        """
        requests = client.requests(trace)
        if not requests:
            return None
        for index, facts in nearest_request(trace.heads, requests).items():
            self._append(trace, index, encoded(facts))
        first, *others = set(requests.values())
        return None if others else encoded(first)

    def _append(self, trace: Trace, index: int, facts: Encoded) -> None:
        missing = facts.missing(trace.spans[index])
        if missing:
            trace.append(index, missing)
            self._enriched_spans[CLIENT] += 1
