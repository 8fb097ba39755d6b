"""What is known of a call of which several lines may be, and what of that its own spans contradict."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from milvus_otel_processor.enrichment.facts import Facts
from milvus_otel_processor.enrichment.pairing.connection import Candidate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milvus_otel_processor.enrichment.catalogue.catalogue import Catalogue
    from milvus_otel_processor.enrichment.requests import Request
    from milvus_otel_processor.spans.contract import Trace

EXCEPTION = b"exception.message"
"""What spans hold that speak for or against a line."""
_CHANNEL_MARK = b"-dml_"
_channel = re.compile(rb"-dml_\d+_(\d{1,19})v\d+").findall
_not_found = re.compile(r"collection not found\[database=([^\]]*)\]\[collection=([^\]]*)\]").findall
_ODD = 0.05  # how likely a failed request has no exception on its spans, or another, and a good one has one
_UNFORESEEN = 0.002  # how likely it is none of several, or what speaks against all of them would count for nothing
_COMPARED = 40  # characters of a message: filter expressions are cut out of those that we keep
_WITH_TASK = 2  # spans: Milvus' own of the call, and one of the work that it does for it


def agreed(candidates: Sequence[Candidate], sure: float) -> Facts:
    """Return what these lines say of the call with a probability of `sure` at the least, field by field.

    `ambiguous` is set where that leaves the collection open.
    """
    best = max(candidates, key=_probability, default=None)
    if best is not None and best.probability >= sure:  # nearly always
        return best.line.facts
    found = Facts._make(_most(candidates, place, sure) for place in range(len(Facts._fields)))
    open_ = sum(
        one.probability
        for one in candidates
        if (one.line.facts.namespace, one.line.facts.collection) == (found.namespace, found.collection)
    )
    return found if open_ >= sure else found._replace(collection=None, namespace=None, ambiguous=True)


def _most(candidates: Sequence[Candidate], place: int, sure: float) -> object:
    shares: dict[object, float] = {}
    for line, probability in candidates:
        value = line.facts[place]
        shares[value] = shares.get(value, 0.0) + probability
    return next((value for value, share in shares.items() if share >= sure), None)


def _probability(candidate: Candidate) -> float:
    return candidate.probability


class Evidence(NamedTuple):
    """What a request's own spans say about it: ids of collections in channel names, and exceptions.

    `alone` is whether there is nothing but Milvus' span of the call, so that the lack of an exception says nothing.
    """

    ids: frozenset[int]
    missing: frozenset[tuple[str, str]]
    messages: frozenset[str]
    alone: bool
    catalogue: Catalogue

    @classmethod
    def of(cls, trace: Trace, request: Request, catalogue: Catalogue) -> Evidence:
        """Read the request's spans."""
        ids: set[int] = set()
        messages: set[str] = set()
        if len(catalogue) and trace.may_hold(_CHANNEL_MARK):
            ids = {
                int(one) for place in request.spans_holding(trace, _CHANNEL_MARK) for one in _channel(trace.span(place))
            }
        if trace.may_hold(EXCEPTION):
            messages = {
                message for place in request.spans_holding(trace, EXCEPTION) for message in _messages(trace, place)
            }
        missing = {found for message in messages for found in _not_found(message)}
        return cls(frozenset(ids), frozenset(missing), frozenset(messages), len(request.spans) < _WITH_TASK, catalogue)

    def weighed(self, candidates: Sequence[Candidate]) -> Sequence[Candidate]:
        """Return the candidates with the probabilities that they have in the light of these spans."""
        weights = [one.probability * self._likelihood(one.line.facts) for one in candidates]
        least = _UNFORESEEN if len(candidates) > 1 else 0.0
        none = max(least, 1 - sum(one.probability for one in candidates)) * (_ODD if self.messages else 1.0)
        total = sum(weights) + none
        if not total:
            return ()
        return [Candidate(one.line, weight / total) for one, weight in zip(candidates, weights, strict=True) if weight]

    def _likelihood(self, facts: Facts) -> float:
        if self._contradicts(facts):
            return 0.0
        if self.messages:
            said = facts.error_message
            return 1.0 if said and any(said.startswith(one[:_COMPARED]) for one in self.messages) else _ODD
        return _ODD if facts.error_type is not None and not self.alone else 1.0

    def _contradicts(self, facts: Facts) -> bool:
        if facts.collection is None:
            return False
        if self.missing and (facts.namespace, facts.collection) not in self.missing:
            return True
        if len(self.ids) != 1:
            return False
        named = self.catalogue.find(facts.namespace, facts.collection)
        return named is not None and named.id not in self.ids


def _messages(trace: Trace, place: int) -> list[str]:
    return [
        pair.value.string_value.decode("utf-8", "replace")
        for event in trace.events(place)
        for pair in event.attributes
        if pair.key == EXCEPTION
    ]
