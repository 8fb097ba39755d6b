"""The source `channel`: the name of a virtual channel, which ends in the id of its collection."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from milvus_otel_processor.enrichment.facts import Facts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milvus_otel_processor.enrichment.catalogue.catalogue import Catalogue
    from milvus_otel_processor.enrichment.requests import Request
    from milvus_otel_processor.spans.contract import Trace

MARK = b"-dml_"
"""What is in every channel's name, as long as `msgChannel.chanNamePrefix` of milvus.yaml is what it comes with."""

_CHANNEL = re.compile(rb"-dml_\d+_(\d{1,19})v\d+")  # by-dev-rootcoord-dml_<number>_<collection id>v<shard>


class ChannelSource:
    """Finds channels in names and events, and asks the catalogue whose they are."""

    name = "channel"

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    @property
    def knows_any(self) -> bool:
        """Whether there is any collection that a channel could be of."""
        return len(self._catalogue) > 0

    def facts(self, trace: Trace, requests: Sequence[Request]) -> dict[int, Facts]:
        """Return the collection of each request whose spans name the channels of one collection alone."""
        if not len(self._catalogue) or not trace.may_hold(MARK):
            return {}
        found = {}
        for place, request in enumerate(requests):
            facts = self.of_spans(trace, request.spans_holding(trace, MARK))
            if facts is not None:
                found[place] = facts
        return found

    def of_spans(self, trace: Trace, places: Sequence[int]) -> Facts | None:
        """Return the collection whose channels the spans at these places name, if it is one alone and the catalogue knows it."""
        ids = {int(match) for index in places for match in _CHANNEL.findall(trace.span(index))}
        collection = self._catalogue.by_id(ids.pop()) if len(ids) == 1 else None
        return Facts(collection.name, collection.namespace) if collection is not None else None
