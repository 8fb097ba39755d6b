"""The paths that a condition can name, and where each leads (pkg/ottl/contexts/ottlspan and ottlspanevent, v0.158)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from milvus_otel_processor.remembering import remember
from milvus_otel_processor.sampling import tracestate
from milvus_otel_processor.sampling.ottl.hints import of_name, of_path
from milvus_otel_processor.sampling.ottl.values import SpanId, Time, TraceId, int64, map_of, value_of
from milvus_otel_processor.spans.schema import ResourceHeaderView, ScopeHeaderView

if TYPE_CHECKING:
    from collections.abc import Callable

    from milvus_otel_processor.sampling.ottl.values import Value
    from milvus_otel_processor.spans.schema import AnyValue, ResourceHeader, ScopeHeader

    Getter = Callable[[Any], Value]
    """Reads a value from a SpanContext or an EventContext."""
    KeyedGetter = Callable[[Any, bytes], AnyValue | None]
    """Reads one attribute from a context."""

_REMEMBERED = 1024
_KINDS = (b"Unspecified", b"Internal", b"Server", b"Client", b"Producer", b"Consumer")


@remember(_REMEMBERED, longest=4096)
def _resource(encoded: bytes) -> ResourceHeader:
    return ResourceHeaderView.FromString(encoded)


@remember(_REMEMBERED, longest=4096)
def _scope(encoded: bytes) -> ScopeHeader:
    return ScopeHeaderView.FromString(encoded)


@remember(_REMEMBERED, longest=4096)
def _scope_attributes(encoded: bytes) -> dict[bytes, AnyValue]:
    return {pair.key: pair.value for pair in reversed(_scope(encoded).scope.attributes)}


def _kind(kind: int, prefix: bytes = b"") -> bytes:
    if not 0 <= kind < len(_KINDS):
        return b""
    return prefix + _KINDS[kind].upper() if prefix else _KINDS[kind]


def _map(values: dict[bytes, AnyValue]) -> dict[bytes, Value]:
    return {key: value_of(value) for key, value in values.items()}


_SPAN: dict[str, Getter] = {
    "trace_id": lambda at: TraceId(at.trace.id),
    "trace_id.string": lambda at: at.trace.id.hex().encode(),
    "span_id": lambda at: SpanId(at.head.span_id or bytes(8)),
    "span_id.string": lambda at: (at.head.span_id or bytes(8)).hex().encode(),
    "parent_span_id": lambda at: SpanId(at.head.parent_span_id or bytes(8)),
    "parent_span_id.string": lambda at: (at.head.parent_span_id or bytes(8)).hex().encode(),
    "trace_state": lambda at: at.head.trace_state,
    "name": lambda at: at.head.name,
    "kind": lambda at: at.head.kind,
    "kind.string": lambda at: _kind(at.head.kind),
    "kind.deprecated_string": lambda at: _kind(at.head.kind, b"SPAN_KIND_"),
    "start_time_unix_nano": lambda at: int64(at.head.start_time_unix_nano),
    "end_time_unix_nano": lambda at: int64(at.head.end_time_unix_nano),
    "start_time": lambda at: Time(int64(at.head.start_time_unix_nano)),
    "end_time": lambda at: Time(int64(at.head.end_time_unix_nano)),
    "attributes": lambda at: _map(at.attributes),
    "dropped_attributes_count": lambda at: at.span.dropped_attributes_count,
    "events": lambda at: tuple(at.span.events),
    "dropped_events_count": lambda at: at.span.dropped_events_count,
    "links": lambda at: tuple(at.span.links),
    "dropped_links_count": lambda at: at.span.dropped_links_count,
    "status.code": lambda at: at.head.status.code,
    "status.message": lambda at: at.head.status.message,
    "flags": lambda at: at.head.flags,
}
_EVENT: dict[str, Getter] = {
    "time_unix_nano": lambda at: int64(at.event.time_unix_nano),
    "time": lambda at: Time(int64(at.event.time_unix_nano)),
    "name": lambda at: at.event.name,
    "attributes": lambda at: map_of(at.event.attributes),
    "dropped_attributes_count": lambda at: at.event.dropped_attributes_count,
}
_RESOURCE: dict[str, Getter] = {
    "attributes": lambda at: _map(at.group.resource_attributes),
    "dropped_attributes_count": lambda at: _resource(at.group.resource).resource.dropped_attributes_count,
    "schema_url": lambda at: _resource(at.group.resource).schema_url,
}
_SCOPE: dict[str, Getter] = {
    "name": lambda at: _scope(at.group.scope).scope.name,
    "version": lambda at: _scope(at.group.scope).scope.version,
    "attributes": lambda at: _map(_scope_attributes(at.group.scope)),
    "dropped_attributes_count": lambda at: _scope(at.group.scope).scope.dropped_attributes_count,
    "schema_url": lambda at: _scope(at.group.scope).schema_url,
}


def _of_context(context: str, getters: dict[str, Getter]) -> dict[str, Getter]:
    return {f"{context}.{path}": getter for path, getter in getters.items()}


_AROUND = {
    **_of_context("resource", _RESOURCE),
    **_of_context("scope", _SCOPE),
    **_of_context("instrumentation_scope", _SCOPE),
    **_of_context("span", _SPAN),
}

PATHS: dict[str, dict[str, Getter]] = {"span": _AROUND, "spanevent": {**_AROUND, **_of_context("spanevent", _EVENT)}}
"""For each kind of condition its paths, written out with their context."""


def full_path(names: list[str], context: str) -> str:
    """Return a path written out with its context, which the condition's own may be written without."""
    return ".".join(names if names[0] in _CONTEXTS[context] else [context, *names])


_CONTEXTS = {context: {path.partition(".")[0] for path in paths} for context, paths in PATHS.items()}

SPAN_TIMES = frozenset(
    {
        (_SPAN["start_time"], _SPAN["end_time"]),
        (_SPAN["start_time_unix_nano"], _SPAN["end_time_unix_nano"]),
    }
)
"""What reads the start and what reads the end of a span, in nanoseconds, where the two can be subtracted."""
STATUS_CODE = _SPAN["status.code"]
"""What reads the code of a span's status."""

_TYPES_IN_SPAN: dict[str, type] = {
    **dict.fromkeys(("trace_id.string", "span_id.string", "parent_span_id.string", "trace_state", "name"), bytes),
    **dict.fromkeys(("kind.string", "kind.deprecated_string", "status.message"), bytes),
    **dict.fromkeys(("kind", "status.code", "flags", "start_time_unix_nano", "end_time_unix_nano"), int),
    **dict.fromkeys(("dropped_attributes_count", "dropped_events_count", "dropped_links_count"), int),
    **dict.fromkeys(("start_time", "end_time"), Time),
    "trace_id": TraceId,
    "span_id": SpanId,
    "parent_span_id": SpanId,
    "attributes": dict,
}
_TYPES_IN_EVENT: dict[str, type] = {
    "name": bytes,
    "time_unix_nano": int,
    "time": Time,
    "dropped_attributes_count": int,
    "attributes": dict,
}
TYPES: dict[str, type] = {
    **{f"span.{path}": type_ for path, type_ in _TYPES_IN_SPAN.items()},
    **{f"spanevent.{path}": type_ for path, type_ in _TYPES_IN_EVENT.items()},
    **{f"{context}.attributes": dict for context in ("resource", "scope", "instrumentation_scope")},
    **{f"{context}.{path}": bytes for context in ("scope", "instrumentation_scope") for path in ("name", "version")},
}
"""Of paths that always have a value of one type, that type."""


def _event_attribute(at: Any, key: bytes) -> AnyValue | None:
    for pair in at.event.attributes:
        if pair.key == key:
            value: AnyValue = pair.value
            return value
    return None


ATTRIBUTES: dict[str, KeyedGetter] = {
    "span.attributes": lambda at, key: at.attribute(key),
    "spanevent.attributes": _event_attribute,
    "resource.attributes": lambda at, key: at.group.resource_attributes.get(key),
    "scope.attributes": lambda at, key: _scope_attributes(at.group.scope).get(key),
    "instrumentation_scope.attributes": lambda at, key: _scope_attributes(at.group.scope).get(key),
}
"""How a single attribute is read without making values of all."""

IN_SPAN = frozenset({"span.attributes", "spanevent.attributes"})
"""The attributes whose keys and values are in the bytes of the span."""
VERBATIM = frozenset({"span.name", "span.status.message", "spanevent.name"})
"""The paths to texts that stand as they are in the bytes of the span."""

TRACE_STATE = "span.trace_state"
"""The path that is a text, and with a key a member of what the text holds."""


def trace_state_member(at: Any, key: bytes) -> bytes | None:
    """Return a member of the trace state, empty if there is none; None where the trace state is not valid."""
    members = tracestate.parse(at.head.trace_state)
    return None if members is None else members.get(key, b"")


_CACHE = "is empty for every condition"
_REQUEST = "is empty: a decision is apart from the requests that brought the spans"
_CONSTANT = {
    "span.status": "as a whole cannot be compared; write span.status.code == STATUS_CODE_ERROR, or span.status.message",
    "span.cache": _CACHE,
    "spanevent.cache": _CACHE,
    "spanevent.event_index": "is not set where traces are sampled",
    "span.otelcol": _REQUEST,
    "spanevent.otelcol": _REQUEST,
}
"""Paths with which the Collector starts, and that say the same of every span: why they are not here."""


def why_not(path: str, context: str) -> str:
    """Return what to say of a path that is not there in conditions of this context."""
    for start, reason in _CONSTANT.items():
        if f"{path}.".startswith(f"{start}."):
            return f"{path} {reason}"
    hint = of_path(path, context)
    if hint:
        return f"there is no path {path}; {hint}"
    holder = path.partition(".")[0]
    here = [known for known in PATHS[context] if known.startswith(f"{holder}.")]
    return f"there is no path {path}{of_name(path, here or PATHS[context])}"


ENUMS = {
    "SPAN_KIND_UNSPECIFIED": 0,
    "SPAN_KIND_INTERNAL": 1,
    "SPAN_KIND_SERVER": 2,
    "SPAN_KIND_CLIENT": 3,
    "SPAN_KIND_PRODUCER": 4,
    "SPAN_KIND_CONSUMER": 5,
    "STATUS_CODE_UNSET": 0,
    "STATUS_CODE_OK": 1,
    "STATUS_CODE_ERROR": 2,
}
