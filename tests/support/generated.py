"""Hypothesis strategies for OTLP on the wire: fields in any order, fields that nobody knows, envelopes in pieces."""

from collections.abc import Sequence

from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support.spans import any_value
from tests.support.wire import DELIMITED, FIXED32, FIXED64, VARINT, delimited, field, varint

_MAX_TRACES = 4

texts = st.text(max_size=6)
numbers = st.integers(-(1 << 63), (1 << 63) - 1)
scalars = st.one_of(texts, st.binary(max_size=4), st.booleans(), numbers, st.floats(), st.none())
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
key_values = st.builds(lambda key, value: KeyValue(key=key, value=any_value(value)), texts, values)
trace_ids = st.integers(1, _MAX_TRACES).map(lambda number: number.to_bytes(16, "big"))


def _unknown_field(number: int, wire_type: int, payload: bytes) -> bytes:
    sizes = {FIXED64: 8, FIXED32: 4}
    if wire_type == VARINT:
        return field(number, wire_type, varint(int.from_bytes(payload, "big")))
    return field(number, wire_type, payload.ljust(8, b"\0")[: sizes[wire_type]] if wire_type in sizes else payload)


unknown_fields = st.builds(
    _unknown_field,
    st.integers(100, 900),  # OTLP is far from these
    st.sampled_from([VARINT, FIXED64, DELIMITED, FIXED32]),
    st.binary(max_size=8),
)


def _shuffled(parts: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    return st.permutations(parts).map(b"".join)


@st.composite
def spans(draw: st.DrawFn) -> bytes:
    """A valid serialized span: its fields in any order, with any attributes, events and links, and fields of the future."""
    span = Span(
        span_id=draw(st.binary(min_size=8, max_size=8)),
        parent_span_id=draw(st.sampled_from([b"", bytes(8), b"\1" * 8])),
        name=draw(texts),
        kind=draw(st.sampled_from(Span.SpanKind.values())),
        start_time_unix_nano=draw(st.integers(0, (1 << 64) - 1)),
        end_time_unix_nano=draw(st.integers(0, (1 << 64) - 1)),
        trace_state=draw(texts),
        flags=draw(st.integers(0, 3)),
    )
    span.status.code = draw(st.sampled_from([0, 1, 2]))  # type: ignore[assignment] # numbers of the enumeration
    parts = [delimited(1, draw(trace_ids)), span.SerializeToString()]
    parts += [delimited(9, pair.SerializeToString()) for pair in draw(st.lists(key_values, max_size=2))]
    event = Span.Event(name="event", attributes=[KeyValue(key="k", value=AnyValue(int_value=1))])
    parts += draw(st.lists(st.just(delimited(11, event.SerializeToString())), max_size=1))
    link = Span.Link(trace_id=b"l" * 16, span_id=b"l" * 8)
    parts += draw(st.lists(st.just(delimited(13, link.SerializeToString())), max_size=1))
    parts += draw(st.lists(unknown_fields, max_size=2))
    return draw(_shuffled(parts))


schema_urls = st.lists(texts.filter(bool).map(lambda url: delimited(3, url.encode())), max_size=1)


@st.composite
def scope_spans(draw: st.DrawFn) -> bytes:
    """A serialized ScopeSpans, its spans anywhere between its other fields; there may be no scope, and no span."""
    scope = InstrumentationScope(name=draw(texts), attributes=draw(st.lists(key_values, max_size=1)))
    parts = draw(st.lists(st.just(delimited(1, scope.SerializeToString())), max_size=1))
    parts += [delimited(2, span) for span in draw(st.lists(spans(), max_size=3))]
    parts += draw(schema_urls) + draw(st.lists(unknown_fields, max_size=1))
    return draw(_shuffled(parts))


@st.composite
def resource_spans(draw: st.DrawFn) -> bytes:
    """A serialized ResourceSpans; its resource may be missing, or written in two pieces, which protobuf merges."""
    pieces = draw(st.lists(st.lists(key_values, max_size=2), max_size=2))
    parts = [delimited(1, Resource(attributes=piece).SerializeToString()) for piece in pieces]
    parts += [delimited(2, scope) for scope in draw(st.lists(scope_spans(), max_size=2))]
    parts += draw(schema_urls) + draw(st.lists(unknown_fields, max_size=1))
    return draw(_shuffled(parts))


requests = st.lists(resource_spans().map(lambda part: delimited(1, part)), max_size=2).map(b"".join)
"""Serialized ExportTraceServiceRequests."""
