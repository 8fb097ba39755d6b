"""A trace at the moment of its decision: what enrichment writes to and the policies read from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milvus_otel_processor.spans.attributes import error_status
from milvus_otel_processor.spans.heads import Heads
from milvus_otel_processor.spans.schema import AttributesView, DecodeError, EventsView, SpanView
from milvus_otel_processor.spans.span import NO_PARENT, extent, surely_has_parent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from milvus_otel_processor.spans.groups import Group
    from milvus_otel_processor.spans.schema import AnyValue, Event, Head

_EVENT_TAG = b"\x5a"  # field 11, length-delimited
_LINK_TAG = b"\x6a"  # field 13, length-delimited
_VALUE_TAG = 0x12  # field 2 of KeyValue, length-delimited
_LONG = 0x80  # lengths from here on take more than one byte


_TRACE_ID_LENGTHS, _SPAN_ID_LENGTHS = (0, 16), (0, 8)  # an id may be missing


class Trace:
    """All spans of one trace id that have arrived, in the order of their arrival.

    `id` is 16 bytes; `spans` are serialized OTLP spans, `groups[i]` the resource and scope of `spans[i]`. What needs decoding
    is decoded when it is first asked for. Everything that decodes raises DecodeError at a span that is not valid protobuf;
    `without_malformed` is the way on from there.
    """

    __slots__ = (
        "_attributes",
        "_bytes",
        "_distinct_groups",
        "_duration",
        "_heads",
        "_roots",
        "_span_values",
        "_values",
        "groups",
        "id",
        "incoming_threshold",
        "randomness",
        "sound",
        "spans",
        "threshold",
    )

    def __init__(self, trace_id: bytes, groups: list[Group], spans: list[bytes]) -> None:
        self.id = trace_id
        self.groups = groups
        self.spans = spans
        self._heads: Heads | None = None
        self._roots: list[Head] | None = None
        self._bytes: bytes | None = None
        self._attributes: list[dict[bytes, AnyValue] | None] | None = None
        self._span_values: dict[bytes, list[AnyValue]] = {}
        self._values: dict[bytes, set[bytes] | None] = {}
        self._distinct_groups: frozenset[Group] | None = None
        self._duration: int | None = None
        self.sound = False
        """Whether all of its spans are known to be well formed; what enrichment appends to them changes nothing in that."""
        self.randomness: int | None = None
        """The number from 0 to 2**56 - 1 that probabilities are compared with, where its trace state says so."""
        self.incoming_threshold = 0
        """The highest sampling threshold that a span came with, see `sampling.thresholds`."""
        self.threshold: int | None = None
        """The threshold with which it was sampled, where that is to be told to whoever counts."""

    @property
    def heads(self) -> Heads:
        """The ids, name, kind, times and status of each span, in the order of `spans`; each is decoded when it is asked for."""
        if self._heads is None:
            self._heads = Heads(self.spans)
        return self._heads

    @property
    def roots(self) -> list[Head]:
        """The heads of the spans without a parent."""
        if self._roots is None:
            # Where encoders write a parent it need not be decoded to be seen.
            maybe = [index for index, span in enumerate(self.spans) if not surely_has_parent(span)]
            self._roots = [head for head in map(self.heads.__getitem__, maybe) if head.parent_span_id in NO_PARENT]
        return self._roots

    @property
    def root_indexes(self) -> list[int]:
        """The places in `spans` of those without a parent."""
        return [index for index, head in enumerate(self.heads) if head.parent_span_id in NO_PARENT]

    @property
    def complete(self) -> bool:
        """Whether a root is there, and the parent of every other span; not where a span is not valid protobuf.

        In a trace without a root the one span whose parent did not come counts as such: Milvus makes such traces where a client
        sent a `client_request_id`.
        """
        try:
            heads, roots = self.heads.all(), self.roots
        except DecodeError:
            return False
        spans = {head.span_id for head in heads}
        orphans = sum(head.parent_span_id not in spans and head.parent_span_id not in NO_PARENT for head in heads)
        return orphans == (0 if roots else 1)

    @property
    def joined(self) -> bytes:
        """The bytes of all spans, one behind the other."""
        if self._bytes is None:
            self._bytes = self.spans[0] if len(self.spans) == 1 else b"".join(self.spans)
        return self._bytes

    def may_hold(self, text: bytes) -> bool:
        """Tell whether these bytes occur anywhere in the trace's spans: False is a sure no, True only a maybe."""
        return text in self.joined

    @property
    def distinct_groups(self) -> frozenset[Group]:
        """The groups, each once."""
        if self._distinct_groups is None:
            self._distinct_groups = frozenset(self.groups)
        return self._distinct_groups

    @property
    def duration_nanoseconds(self) -> int:
        """The time from the earliest start to the latest end; below 0 where that end comes first. 0 without spans."""
        if self._duration is None:
            self._duration = (
                extent(self.joined, len(self.spans)) if self._heads is None or not self._heads.are_decoded else None
            )
        if self._duration is None:
            heads = self.heads.all()
            start = min([head.start_time_unix_nano for head in heads], default=0)
            self._duration = max([head.end_time_unix_nano for head in heads], default=0) - start
        return self._duration

    def append(self, index: int, encoded: bytes) -> None:
        """Add encoded attributes (see `otlp.attributes.span_attribute`) to the span at `index`."""
        self.spans[index] += encoded
        self.appended()

    def appended(self) -> None:
        """Tell that attributes were put behind some of the spans directly; once is enough, however many spans they were."""
        self._bytes = None
        self._attributes = None
        self._span_values.clear()
        self._values.clear()

    def set_error(self, index: int, message: str) -> None:
        """Give the span at `index` the status ERROR, with a description, behind the status that it has.

        A field that comes again overwrites, part by part, what came before: so protobuf has it, and so do its decoders in Go
        (the Collector's pdata), Python and C++.
        """
        self.append(index, error_status(message))
        if self._heads is not None:
            self._heads.forget(index)
        self._roots = None

    def attributes(self, index: int) -> dict[bytes, AnyValue]:
        """Return the attributes of the span at `index` by key, decoded once; of a key that comes twice the first counts."""
        if self._attributes is None:
            self._attributes = [None] * len(self.spans)
        found = self._attributes[index]
        if found is None:
            pairs = AttributesView.FromString(self.spans[index]).attributes
            found = self._attributes[index] = {pair.key: pair.value for pair in reversed(pairs)}
        return found

    def events(self, index: int) -> Sequence[Event]:
        """Return the events of the span at `index`; a span without the tag of one is not decoded."""
        span = self.spans[index]
        return EventsView.FromString(span).events if _EVENT_TAG in span else ()

    def values(self, key: bytes) -> Iterator[AnyValue]:
        """Yield the values of the attribute with this key: of each resource that has it, then of each span that has it."""
        for group in dict.fromkeys(self.groups):
            value = group.resource_attributes.get(key)
            if value is not None:
                yield value
        yield from self.span_values(key)

    def values_behind(self, key: bytes) -> set[bytes] | None:
        """Return, encoded, the distinct values that follow the key's bytes anywhere; None where one is not plain to see.

        A value follows its key in what every encoder writes: the values of the attribute are then among these, and are few.
        """
        if key not in self._values:
            self._values[key] = _values_behind(key, self.joined) if key else None
        return self._values[key]

    def span_values(self, key: bytes) -> list[AnyValue]:
        """Return the values of the attribute with this key of each span that has it."""
        found = self._span_values.get(key)
        if found is None:
            found = []
            if self.may_hold(key):
                for index, span in enumerate(self.spans):
                    value = self.attributes(index).get(key) if key in span else None
                    if value is not None:
                        found.append(value)
            self._span_values[key] = found
        return found

    def without_malformed(self) -> Trace:
        """Return this trace without the spans that are not valid protobuf."""
        good = [index for index, span in enumerate(self.spans) if well_formed(span)]
        return Trace(self.id, [self.groups[index] for index in good], [self.spans[index] for index in good])


def _values_behind(key: bytes, joined: bytes) -> set[bytes] | None:
    found = set()
    try:
        # Several spans of a trace mostly have the same value, so what is looked at closer is little.
        for field in {part[: part[1] + 2] for part in joined.split(key)[1:]}:
            if field[0] != _VALUE_TAG or field[1] >= _LONG or len(field) != field[1] + 2:
                return None
            found.add(field[2:])
    except IndexError:
        return None
    return found


def field_of(key: bytes, encoded: bytes) -> bytes:
    """Return how the key and this value, one of `Trace.values_behind`, stand in a span."""
    return key + bytes((_VALUE_TAG, len(encoded))) + encoded


def well_formed(span: bytes) -> bool:
    """Tell whether the span is valid protobuf down to the last attribute, and its ids have their lengths.

    The Collector's pdata, and with it Jaeger, refuses a whole request for one span that has not.
    """
    try:
        whole = SpanView.FromString(span)
    except DecodeError:
        return False
    if len(whole.span_id) not in _SPAN_ID_LENGTHS or len(whole.parent_span_id) not in _SPAN_ID_LENGTHS:
        return False
    if _LINK_TAG not in span:
        return True
    return all(
        len(link.trace_id) in _TRACE_ID_LENGTHS and len(link.span_id) in _SPAN_ID_LENGTHS for link in whole.links
    )
