"""Requests in and out: cut into groups of opaque spans, and put together again from them."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from milvus_otel_processor.spans.schema import RequestView, ResourceSpansView, ResourceView, ScopeSpansView, ScopeView

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from milvus_otel_processor.spans.schema import AnyValue, ResourceSpans

T = TypeVar("T")

_KNOWN_GROUPS_LIMIT = 4096
_KNOWN_BYTES_LIMIT = 4 << 20


class Group:
    """What spans of one resource and one scope have in common: the two envelopes around them, less the spans.

    `resource` is a serialized ResourceSpans without its scope spans, `scope` a serialized ScopeSpans without its spans;
    schema URLs and fields that we do not know are in them.
    """

    __slots__ = ("__weakref__", "_answers", "_attributes", "resource", "scope")

    def __init__(self, resource: bytes, scope: bytes) -> None:
        self.resource = resource
        self.scope = scope
        self._attributes: dict[bytes, AnyValue] | None = None
        self._answers: dict[Callable[[Group], Any], Any] | None = None

    @property
    def size(self) -> int:
        """The bytes of both."""
        return len(self.resource) + len(self.scope)

    def once(self, question: Callable[[Group], T]) -> T:
        """Return the question's answer about this group, asked once; it is forgotten with the group."""
        if self._answers is None:
            self._answers = {}
        if question not in self._answers:
            self._answers[question] = question(self)
        answer: T = self._answers[question]
        return answer

    @property
    def resource_attributes(self) -> dict[bytes, AnyValue]:
        """The resource's attributes by key, decoded once; of a key that comes twice the first counts, as in the Collector."""
        if self._attributes is None:
            pairs = ResourceView.FromString(self.resource).resource.attributes
            self._attributes = {pair.key: pair.value for pair in reversed(pairs)}
        return self._attributes


def make_group(resource: bytes, scope: bytes) -> Group:
    """Return the group of these envelopes. Raises DecodeError where one is malformed.

    Malformed ones are refused here: in a request that goes out they would take other senders' spans with them.
    """
    ResourceView.FromString(resource)
    ScopeView.FromString(scope)
    return Group(resource, scope)


class GroupRegistry:
    """One Group object for each distinct resource and scope, so that what is decoded of it is decoded once.

    Bounded, in groups and in bytes: a source that changes its resource with every request starts the registry anew now and then.
    """

    def __init__(self, limit: int = _KNOWN_GROUPS_LIMIT, size_limit: int = _KNOWN_BYTES_LIMIT) -> None:
        self._groups: dict[tuple[bytes, bytes], Group] = {}
        self._limit = limit
        self._size_limit = size_limit
        self._known_size = 0
        self._forgotten: set[_Forgotten] = set()
        self._forgotten_size = 0

    @property
    def size(self) -> int:
        """The bytes of the resources and scopes that are known now, and of those that are not and spans still have."""
        return self._known_size + self._forgotten_size

    def split(self, request: bytes) -> list[tuple[Group, list[bytes]]]:
        """Cut a serialized ExportTraceServiceRequest into groups of serialized spans.

        Raises DecodeError where the request, a resource or a scope is not valid protobuf; spans are not looked into.
        """
        parts = []
        for resource_spans in RequestView.FromString(request).resource_spans:
            scopes = list(resource_spans.scope_spans)
            spans_of = [list(scope.spans) for scope in scopes]
            for scope in scopes:
                del scope.spans[:]
            headers = [scope.SerializeToString() for scope in scopes]
            del resource_spans.scope_spans[:]
            resource = resource_spans.SerializeToString()
            parts += [(self._group(resource, header), spans) for header, spans in zip(headers, spans_of, strict=True)]
        return parts

    def _group(self, resource: bytes, scope: bytes) -> Group:
        group = self._groups.get((resource, scope))
        if group is None:
            group = make_group(resource, scope)
            size = len(resource) + len(scope)
            if len(self._groups) >= self._limit or self._known_size + size > self._size_limit:
                self._forget()
            self._groups[resource, scope] = group
            self._known_size += size
        return group

    def _forget(self) -> None:
        self._forgotten.update(_Forgotten(group, self._gone) for group in self._groups.values())
        self._groups.clear()  # which is the end of those that no span has
        self._forgotten_size = sum(forgotten.size for forgotten in tuple(self._forgotten))
        self._known_size = 0

    def _gone(self, forgotten: weakref.ref[Group]) -> None:
        assert isinstance(forgotten, _Forgotten)
        self._forgotten.discard(forgotten)
        self._forgotten_size -= forgotten.size


class _Forgotten(weakref.ref[Group]):
    """A group that the registry does not give out any more, and how many bytes it has."""

    __slots__ = ("size",)
    size: int

    def __new__(cls, group: Group, gone: Callable[[weakref.ref[Group]], None]) -> Self:
        made = super().__new__(cls, group, gone)
        made.size = group.size
        return made

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


def join(spans: Iterable[tuple[Group, bytes]]) -> bytes:
    """Serialize an ExportTraceServiceRequest that holds these spans, each under its own resource and scope."""
    by_resource: dict[bytes, dict[bytes, list[bytes]]] = {}
    for group, span in spans:
        by_resource.setdefault(group.resource, {}).setdefault(group.scope, []).append(span)
    request = RequestView()
    for resource, by_scope in by_resource.items():
        request.resource_spans.append(_resource_spans(resource, by_scope))
    return request.SerializeToString()


class HasSpans(Protocol):
    """Spans, each with its resource and scope: what of a trace is joined."""

    @property
    def groups(self) -> Sequence[Group]:
        """The resource and scope of each span."""

    @property
    def spans(self) -> Sequence[bytes]:
        """The serialized spans."""


def join_traces(traces: Sequence[HasSpans]) -> bytes:
    """Serialize an ExportTraceServiceRequest that holds the spans of these traces."""
    return join(pair for trace in traces for pair in zip(trace.groups, trace.spans, strict=True))


def joined_size(spans: Iterable[tuple[Group, bytes]]) -> int:
    """Return how many bytes `join` would make of these spans, without making them."""
    by_resource: dict[bytes, dict[bytes, int]] = {}
    for group, span in spans:
        by_scope = by_resource.setdefault(group.resource, {})
        by_scope[group.scope] = by_scope.get(group.scope, len(group.scope)) + _field_size(len(span))
    return sum(
        _field_size(len(resource) + sum(map(_field_size, by_scope.values())))
        for resource, by_scope in by_resource.items()
    )


def _field_size(size: int) -> int:
    """Return the bytes of a field of `size` bytes with its tag, of one byte, and its length, of seven bits to a byte."""
    return 1 + max(1, -(-size.bit_length() // 7)) + size


def _resource_spans(resource: bytes, by_scope: dict[bytes, list[bytes]]) -> ResourceSpans:
    resource_spans = ResourceSpansView.FromString(resource)
    for header, spans in by_scope.items():
        scope_spans = ScopeSpansView.FromString(header)
        scope_spans.spans.extend(spans)
        resource_spans.scope_spans.append(scope_spans)
    return resource_spans
