"""Gives the spans of each request in a trace what is known of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from milvus_otel_processor.enrichment.catalogue.collection import LOADED
from milvus_otel_processor.enrichment.facts import NOTHING, Facts, filled
from milvus_otel_processor.enrichment.grpc_status import (
    OK_STATUS,
    STATUS_CODE,
    all_well,
    grpc_error,
    grpc_may_have_failed,
)
from milvus_otel_processor.enrichment.requests import CALLS, find_requests, is_milvus, may_hold_requests
from milvus_otel_processor.enrichment.sources.channel import MARK
from milvus_otel_processor.enrichment.sources.client import COLLECTION_KEYS
from milvus_otel_processor.spans.wanted import Wanted, WantedCalls

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Sequence

    from milvus_otel_processor.enrichment.attributes import Writer, Written
    from milvus_otel_processor.enrichment.catalogue.collection import Collection
    from milvus_otel_processor.enrichment.requests import Request
    from milvus_otel_processor.enrichment.sources.base import Source
    from milvus_otel_processor.enrichment.sources.channel import ChannelSource
    from milvus_otel_processor.spans.attributes import Encoded
    from milvus_otel_processor.spans.contract import Trace

    Known = tuple[Facts, Collection | None, str]
    """What is known of a request, its collection, and the source that told."""

NO_COLLECTION, UNKNOWN, AMBIGUOUS = "no_collection", "unknown", "ambiguous"
"""In metrics, requests of which it is known that they name no collection, those of which no source knew anything, and those of
which there was more than one answer, so that none was given."""

ORPHANS = "same_trace"
"""In metrics, spans that got the names of their trace's requests without being below one."""

_NEEDS_LOADED = frozenset(("Search", "HybridSearch", "Query", "search", "hybrid_search", "query", "get"))
_UNSET = 0  # Status.code


class Enricher:
    """Appends attributes to the spans of Milvus requests, one trace at a time; never waits for anything.

    `resolve` finds the collection that a database and a name, or alias, stand for; `doubt` is told of one that a request
    contradicts. `may_fail` tells whether to enrich a trace may make one of its spans an ERROR; False is a sure no. `is_known` tells
    by its id whether a source other than a trace's own spans may know of its requests; it is None where nobody can tell.
    `spans` and `requests` count those that were enriched, by source; of nested requests the outermost counts.
    """

    def __init__(
        self,
        *,
        sources: Sequence[Source],
        channels: ChannelSource | None,
        resolve: Callable[[str | None, str], Collection | None],
        doubt: Callable[[Collection], None] = lambda _: None,
        may_fail: Callable[[Trace], bool] = grpc_may_have_failed,
        is_known: Callable[[bytes], bool] | None = None,
        writer: Writer,
        spans: Counter[str],
        requests: Counter[str],
    ) -> None:
        self._sources = sources
        self._channels = channels
        self._resolve = resolve
        self._doubt = doubt
        self.may_fail = may_fail
        """Tell whether to enrich a trace may make one of its spans an ERROR; False is a sure no."""
        self._wanted = _wanted(is_known) if is_known is not None else None
        self._writer = writer
        self._spans = spans
        self._requests = requests
        self.last: tuple[Trace, Sequence[Request], Sequence[Known | None]] | None = None
        """The trace that was enriched last, until it is asked what is known of it, and that."""

    def known(self, trace: Trace) -> tuple[Sequence[Request], Sequence[Known | None]]:
        """Return the requests of a trace, and what is known of each, without writing it anywhere.

        Raises DecodeError where a span that it has to look into is malformed.
        """
        last, self.last = self.last, None
        if last is not None and last[0] is trace:
            return last[1:]
        if not may_hold_requests(trace):
            return (), ()
        requests = find_requests(trace)
        return requests, self._known(trace, requests, counted=False) if requests else ()

    def enrich(self, trace: Trace) -> Encoded | None:
        """Append to each span of a request's subtree what is known of the request; return what a late span is to be given.

        That is nothing unless all requests of the trace agree. An attribute that a span has is not overwritten. Raises
        DecodeError where a span that it has to look into is malformed; to enrich a trace a second time adds nothing.
        """
        if (wanted := self.wants) is not None and (unknown := trace.unwanted_calls(wanted)) is not None:
            self.count_unknown(unknown)
            return None
        if not may_hold_requests(trace):
            return self._enrich_detached(trace) if self._channels is not None and trace.may_hold(MARK) else None
        requests = find_requests(trace)
        if not requests:
            return None
        known = self._known(trace, requests)
        self.last = trace, requests, known
        written = [self._writer.written(*one) if one is not None else None for one in known]
        for request, one, encoded in zip(requests, known, written, strict=True):
            if one is not None and encoded is not None:
                self._write(trace, request, one, encoded)
        return self._common(trace, requests, written)

    @property
    def wants(self) -> Wanted | None:
        """What a trace has to have for `enrich` to change it, or count it in another way than `count_unknown` does.

        None where nobody can tell.
        """
        if self._wanted is None:
            return None
        return self._wanted[self._channels is not None and self._channels.knows_any]

    def count_unknown(self, requests: int) -> None:
        """Count requests of which no source knows anything."""
        self._requests[UNKNOWN] += requests

    def enrich_late(self, trace: Trace) -> None:
        """Do the same with a span of a trace that is decided, where it is that of a request, and one may have failed."""
        if may_hold_requests(trace) and self.may_fail(trace):
            self.enrich(trace)

    def _common(self, trace: Trace, requests: Sequence[Request], written: Sequence[Written | None]) -> Encoded | None:
        first = written[0]
        if first is None or any(other is None or other.subtree.all != first.subtree.all for other in written[1:]):
            return None
        if len(requests) > 1:
            self._write_to_orphans(trace, requests, first.subtree)
        return first.subtree

    def _known(self, trace: Trace, requests: Sequence[Request], *, counted: bool = True) -> list[Known | None]:
        facts, origins = [NOTHING] * len(requests), [""] * len(requests)
        ambiguous = self._ask_sources(trace, requests, facts, origins)
        if len(requests) > 1:
            _share(requests, facts, origins)
        well = all_well(trace)
        for place, request in enumerate(requests):
            if counted and request.parent is None:
                self._requests[_outcome(facts[place], origins[place], ambiguous=place in ambiguous)] += 1
            if not well:
                facts[place] = _with_grpc_error(facts[place], trace, request)
        return [
            (one, self._collection(one) if one.collection is not None else None, origin) if one != NOTHING else None
            for one, origin in zip(facts, origins, strict=True)
        ]

    def _collection(self, facts: Facts) -> Collection | None:
        assert facts.collection is not None
        found = self._resolve(facts.namespace, facts.collection)
        if found is None or found.load_state in {None, LOADED}:
            return found
        if facts.operation not in _NEEDS_LOADED or facts.error_type is not None:
            return found
        # Milvus searches what is loaded: what was read of the collection is older than that.
        self._doubt(found)
        return replace(found, load_state=None)

    def _ask_sources(
        self, trace: Trace, requests: Sequence[Request], facts: list[Facts], origins: list[str]
    ) -> set[int]:
        """Fill in what the sources know, and which of them told; return the places of requests that have several answers."""
        ambiguous: set[int] = set()
        for source in self._sources:
            if source is self._channels and all(one.collection is not None for one in facts):
                continue
            for place, told in source.facts(trace, requests).items():
                more = told
                if told.ambiguous:
                    ambiguous.add(place)
                    more = told._replace(ambiguous=None)
                    if more == NOTHING:
                        continue
                if not origins[place] or (facts[place].collection is None and more.collection is not None):
                    origins[place] = source.name
                facts[place] = filled(facts[place], more)
        return ambiguous

    def _write(self, trace: Trace, request: Request, known: Known, written: Written) -> None:
        own, names = request.span, written.subtree
        for_own = written.own if request.parent is None else names
        below = request.spans.copy()
        below.remove(own)
        # Milvus gives its own spans no such attributes; where something else does, it gives them to the request's span as well.
        if request.only_milvus and not names.may_be_in(trace.span(own)):
            trace.append(below, names.all)
            unchanged = 0
        else:
            unchanged = trace.append_missing(below, names)
        unchanged += trace.append_missing((own,), for_own)
        if known[2]:
            self._spans[known[2]] += len(request.spans) - unchanged
        if known[0].error_type is not None and request.server is not None:
            self._mark_failed(trace, request.server, known[0].error_message, written.failure)

    def _mark_failed(self, trace: Trace, server: int, message: str | None, failure: Encoded) -> None:
        trace.append_missing((server,), failure)
        if trace.heads[server].status.code == _UNSET:
            trace.set_error(server, message or "")

    def _enrich_detached(self, trace: Trace) -> Encoded | None:
        """Enrich Milvus' work outside of requests, whose spans name the channel that it is for."""
        assert self._channels is not None
        facts = self._channels.of_spans(trace, trace.holding(MARK))
        if facts is None or facts.collection is None:
            return None
        collection = self._resolve(facts.namespace, facts.collection)
        names = self._writer.written(facts, collection, self._channels.name).subtree
        self._append(trace, range(len(trace)), names, self._channels.name)
        return names

    def _write_to_orphans(self, trace: Trace, requests: Sequence[Request], names: Encoded) -> None:
        """Give the names to Milvus' own spans whose way up to their request is broken, where there is but one answer."""
        inside = {index for request in requests for index in request.spans}
        of_milvus = frozenset(group for group in trace.distinct_groups if is_milvus(group))
        orphans = [index for index in trace.places(of_milvus) if index not in inside]
        self._append(trace, orphans, names, ORPHANS)

    def _append(self, trace: Trace, places: Sequence[int], names: Encoded, source: str) -> None:
        if places:
            trace.append_missing(places, names)
            self._spans[source] += len(places)


def _wanted(is_known: Callable[[bytes], bool]) -> tuple[Wanted, Wanted]:
    """Return what traces have to have without, and with, a collection that a channel could be of."""
    calls = WantedCalls(CALLS, frozenset(COLLECTION_KEYS), STATUS_CODE, OK_STATUS, is_known)
    return Wanted(calls=calls), Wanted(texts=frozenset((MARK,)), calls=calls)


def _with_grpc_error(facts: Facts, trace: Trace, request: Request) -> Facts:
    """Return the facts of a failed request where gRPC ended it with an error, and its line does not know that."""
    if request.server is None or facts.error_type is not None:
        return facts
    status = grpc_error(trace, request.server)
    return facts._replace(error_type=status, error_message=f"gRPC status {status}") if status is not None else facts


def _outcome(facts: Facts, origin: str, *, ambiguous: bool) -> str:
    """Return what is counted of a request."""
    if facts.collection is not None:
        return origin
    if ambiguous:
        return AMBIGUOUS
    return NO_COLLECTION if origin else UNKNOWN


def _share(requests: Sequence[Request], facts: list[Facts], origins: list[str]) -> None:
    """Tell operations what the calls made for them know, then the calls what the operation is."""
    place_of = {request: place for place, request in enumerate(requests)}
    calls: dict[int, list[int]] = {}
    for place, request in enumerate(requests):
        # An operation within an operation, which has no method, is about what it says itself.
        if request.parent is not None and request.method is not None:
            calls.setdefault(place_of[request.parent], []).append(place)
    for operation, made in calls.items():
        _tell_operation(operation, made, facts, origins)
    for operation, made in calls.items():
        above = facts[operation]
        names = Facts(above.collection, above.namespace, above.operation)
        for place in made:
            if requests[place].method is None and facts[place].collection is not None:
                continue  # an operation within another speaks for itself
            if above.collection is not None or not origins[place]:
                origins[place] = origins[operation]
            facts[place] = filled(names, facts[place])


def _tell_operation(operation: int, made: list[int], facts: list[Facts], origins: list[str]) -> None:
    # Not the failures: whoever instrumented the operation knows whether it failed, and a call may fail without harm.
    collections = {facts[place].collection for place in made} - {None}
    if facts[operation].collection is None and len(collections) > 1:
        return
    for place in made:
        of_call = facts[place]
        if of_call is NOTHING:
            continue
        if facts[operation].collection is None and of_call.collection is not None:
            origins[operation] = origins[place]
        told = of_call._replace(operation=None, status_code=None, error_type=None, error_message=None, exists=None)
        facts[operation] = filled(facts[operation], told)
