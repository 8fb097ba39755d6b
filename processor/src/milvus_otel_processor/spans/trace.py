"""A trace as the reference store gives it out: plain lists of spans, decoded by protobuf when they are asked about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milvus_otel_processor.spans.attributes import error_status, trace_state_field
from milvus_otel_processor.spans.fnv import fnv1a
from milvus_otel_processor.spans.groups import joined_size
from milvus_otel_processor.spans.schema import DecodeError, HeadView, attributes_of, events_of
from milvus_otel_processor.spans.search import searcher
from milvus_otel_processor.spans.span import NO_PARENT, well_formed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milvus_otel_processor.spans.attributes import Encoded
    from milvus_otel_processor.spans.groups import Group
    from milvus_otel_processor.spans.schema import AnyValue, Event, Head
    from milvus_otel_processor.spans.wanted import CallMarks, TimeSteps, Wanted

_VALUE_TAG = 0x12  # field 2 of KeyValue, length-delimited
_LONG = 0x80  # lengths from here on take more than one byte


class ReferenceTrace:
    """All spans of one trace id that have arrived, in the order of their arrival; see `spans.contract.Trace`.

    `groups[i]` is the resource and scope of `spans[i]`. `asked` says whether rules on the names of root spans have to be asked.
    """

    __slots__ = (
        "_arrived",
        "_attributes",
        "_distinct_groups",
        "_duration",
        "_heads",
        "_joined",
        "_span_values",
        "_values",
        "arrived",
        "asked",
        "groups",
        "id",
        "incoming_threshold",
        "randomness",
        "spans",
        "threshold",
    )

    def __init__(
        self, trace_id: bytes, groups: list[Group], spans: list[bytes], *, asked: bool = True, arrived: float = 0.0
    ) -> None:
        self.id = trace_id
        self.groups = groups
        self.spans = spans
        self.arrived = arrived
        self.asked = asked
        self._arrived = spans  # as they came; `spans` becomes a list of its own when something is appended
        self._heads: list[Head] | None = None
        self._joined: bytes | None = None
        self._attributes: dict[int, dict[bytes, AnyValue]] = {}
        self._span_values: dict[bytes, list[AnyValue]] = {}
        self._values: dict[bytes, frozenset[bytes] | None] = {}
        self._distinct_groups: frozenset[Group] | None = None
        self._duration: int | None = None
        self.randomness: int | None = None
        self.incoming_threshold = 0
        self.threshold: int | None = None

    def __len__(self) -> int:
        return len(self.spans)

    @property
    def size(self) -> int:
        return sum(map(len, self.spans))

    @property
    def distinct_groups(self) -> frozenset[Group]:
        if self._distinct_groups is None:
            self._distinct_groups = frozenset(self.groups)
        return self._distinct_groups

    @property
    def heads(self) -> list[Head]:
        if self._heads is None:
            self._heads = [HeadView.FromString(span) for span in self._arrived]
        return self._heads

    @property
    def roots(self) -> list[Head]:
        return [head for head in self.heads if head.parent_span_id in NO_PARENT]

    @property
    def root_indexes(self) -> list[int]:
        return [index for index, head in enumerate(self.heads) if head.parent_span_id in NO_PARENT]

    @property
    def complete(self) -> bool:
        try:
            heads, roots = self.heads, self.roots
        except DecodeError:
            return False
        spans = {head.span_id for head in heads}
        orphans = sum(head.parent_span_id not in spans and head.parent_span_id not in NO_PARENT for head in heads)
        return orphans == (0 if roots else 1)

    @property
    def duration_nanoseconds(self) -> int:
        if self._duration is None:
            start = min([head.start_time_unix_nano for head in self.heads], default=0)
            self._duration = max([head.end_time_unix_nano for head in self.heads], default=0) - start
        return self._duration

    @property
    def request_size(self) -> int:
        return joined_size(zip(self.groups, self.spans, strict=True))

    def has_status(self, codes: frozenset[int]) -> bool:
        return any(head.status.code in codes for head in self.heads)

    def id_hash(self, basis: int) -> int:
        return fnv1a(self.id, basis)

    def may_hold(self, text: bytes) -> bool:
        return text in self._bytes()

    def holding(self, text: bytes) -> list[int]:
        if text not in self._bytes():
            return []
        return [index for index, span in enumerate(self.spans) if text in span]

    def present(self, texts: frozenset[bytes]) -> frozenset[bytes]:
        return searcher(texts).all_in(self._bytes())

    def places(self, groups: frozenset[Group]) -> list[int]:
        return [index for index, group in enumerate(self.groups) if group in groups]

    def span(self, index: int) -> bytes:
        return self.spans[index]

    def attributes(self, index: int) -> dict[bytes, AnyValue]:
        if index not in self._attributes:
            self._attributes[index] = attributes_of(self.spans[index])
        return self._attributes[index]

    def attribute(self, index: int, key: bytes) -> AnyValue | None:
        return self.attributes(index).get(key) if key in self.spans[index] else None

    def events(self, index: int) -> Sequence[Event]:
        return events_of(self.spans[index])

    def span_values(self, key: bytes) -> list[AnyValue]:
        if key not in self._span_values:
            found = (self.attributes(index).get(key) for index in self.holding(key))
            self._span_values[key] = [value for value in found if value is not None]
        return self._span_values[key]

    def encoded_values(self, key: bytes) -> frozenset[bytes]:
        return frozenset(value.SerializeToString() for value in self.span_values(key))

    def values_behind(self, key: bytes) -> frozenset[bytes] | None:
        if key not in self._values:
            self._values[key] = _values_behind(key, self._bytes()) if key else None
        return self._values[key]

    def plain_calls(self, marks: CallMarks) -> None:  # noqa: ARG002
        return None

    def unwanted_calls(self, wanted: Wanted) -> None:
        """Nothing that is quicker than to look into the trace."""
        del wanted

    def time_spent(
        self,
        steps: TimeSteps,  # noqa: ARG002
        places: Sequence[int] | None,  # noqa: ARG002
        begin: int,  # noqa: ARG002
        end: int,  # noqa: ARG002
    ) -> None:
        return None

    def append(self, places: Sequence[int], encoded: bytes) -> None:
        self._begin_to_append()
        for index in places:
            self.spans[index] += encoded

    def append_missing(self, places: Sequence[int], attributes: Encoded) -> int:
        self._begin_to_append()
        unchanged = 0
        for index in places:
            missing = attributes.missing(self.spans[index])
            self.spans[index] += missing
            unchanged += not missing
        return unchanged

    def set_error(self, index: int, message: str) -> None:
        self._overwrite(index, error_status(message))

    def set_trace_state(self, index: int, trace_state: bytes) -> None:
        self._overwrite(index, trace_state_field(trace_state))

    def release(self) -> None:
        self._arrived = self.spans
        self._heads = self._joined = None
        self._attributes, self._span_values, self._values = {}, {}, {}

    def without_malformed(self) -> ReferenceTrace:
        good = [index for index, span in enumerate(self._arrived) if well_formed(span)]
        if len(good) == len(self._arrived):
            return self
        rest = ReferenceTrace(
            self.id, [self.groups[index] for index in good], [], asked=self.asked, arrived=self.arrived
        )
        rest._arrived = [self._arrived[index] for index in good]
        rest.spans = [self.spans[index] for index in good]
        if self._heads is not None:
            rest._heads = [self._heads[index] for index in good]
        return rest

    def _bytes(self) -> bytes:
        if self._joined is None:
            self._joined = b"".join(self.spans)
        return self._joined

    def _overwrite(self, index: int, field: bytes) -> None:
        # A field that comes again overwrites, part by part, what came before: so protobuf has it, and so do its decoders in Go
        # (the Collector's pdata), Python and C++.
        head = self.heads[index]
        self.append((index,), field)
        head.MergeFromString(field)

    def _begin_to_append(self) -> None:
        if self.spans is self._arrived:
            self.spans = self._arrived.copy()
        self._joined = None
        self._attributes.clear()
        self._span_values.clear()
        self._values.clear()


def _values_behind(key: bytes, joined: bytes) -> frozenset[bytes] | None:
    found = set()
    try:
        # Several spans of a trace mostly have the same value, so what is looked at closer is little.
        for field in {part[: part[1] + 2] for part in joined.split(key)[1:]}:
            if field[0] != _VALUE_TAG or field[1] >= _LONG or len(field) != field[1] + 2:
                return None
            found.add(field[2:])
    except IndexError:
        return None
    return frozenset(found)
