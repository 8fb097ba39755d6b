"""What the rest of the processor sees of waiting spans: a store, and the traces that it gives out.

Nobody outside of this package cuts a request, slices a span or knows a field's number. Any store that keeps this contract can take
the place of another: the same requests, times and calls have to give the same traces, in the same order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from milvus_otel_processor.spans.fates import Fates

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from milvus_otel_processor.spans.attributes import Encoded
    from milvus_otel_processor.spans.groups import Group
    from milvus_otel_processor.spans.head import Head
    from milvus_otel_processor.spans.schema import AnyValue, Event
    from milvus_otel_processor.spans.wanted import CallMarks, PlainCall, TimeSteps, Wanted

    OfRoot = Callable[..., object | None]

CONTRACT: Final = 22
"""The number of this contract, which the native store is built with too: one that was built for another number is not used.

Raise it, here and in `processor/core/src/lib.rs`, with each change of what a store, its traces or their settings are asked for.
"""

ASK: Final = "ask"
"""What is answered about a root span's name where it settles nothing, and rules that look at such names have to be asked."""


SMALL_TRACE: Final = 64
"""Spans up to which a trace is looked at each time that it grows."""


def looked_at_again(spans: int) -> int:
    """Return with how many spans a large trace is looked at again that has so many now: an eighth more."""
    return spans + spans // 8


class Trace(Protocol):
    """All spans of one trace id that have arrived, in the order of their arrival; a span's place is its index in that order.

    What has to be decoded is decoded when it is first asked for. `heads`, `roots`, `root_indexes`, `duration_nanoseconds` and
    `has_status` raise DecodeError where the head of any span is malformed, and `attributes`, `attribute`, `events`,
    `span_values` and `encoded_values` where a span is that they look into. `without_malformed` is the way on from there.
    """

    randomness: int | None
    """The number from 0 to 2**56 - 1 that probabilities are compared with, where its trace state says so."""
    incoming_threshold: int
    """The highest sampling threshold that a span came with, see `sampling.thresholds`."""
    threshold: int | None
    """The threshold with which it was sampled, where that is to be told to whoever counts."""

    def __len__(self) -> int:
        """Return the number of spans."""

    @property
    def id(self) -> bytes:
        """The trace id: 16 bytes."""

    @property
    def arrived(self) -> float:
        """When its first span came, by the clock that the store was told; seconds."""

    @property
    def size(self) -> int:
        """The bytes of its spans, with what was appended."""

    @property
    def asked(self) -> bool:
        """Whether rules on the names of root spans have to be asked: such a name came, or the rules have changed since."""

    @property
    def spans(self) -> Sequence[bytes]:
        """The serialized OTLP spans, with what was appended."""

    @property
    def groups(self) -> Sequence[Group]:
        """The resource and scope of each span."""

    @property
    def distinct_groups(self) -> frozenset[Group]:
        """The groups, each once."""

    @property
    def heads(self) -> Sequence[Head]:
        """What each span says of itself."""

    @property
    def roots(self) -> Sequence[Head]:
        """The heads of the spans without a parent."""

    @property
    def root_indexes(self) -> Sequence[int]:
        """The places of the spans without a parent."""

    @property
    def complete(self) -> bool:
        """Whether a root is there, and the parent of every other span; not where a head is malformed.

        In a trace without a root the one span whose parent did not come counts as such: Milvus makes such traces where a client
        sent a `client_request_id`.
        """

    @property
    def duration_nanoseconds(self) -> int:
        """The time from the earliest start to the latest end; below 0 where that end comes first. 0 without spans."""

    @property
    def request_size(self) -> int:
        """The bytes of a request with this trace alone."""

    def has_status(self, codes: frozenset[int]) -> bool:
        """Tell whether a span has a status with one of these codes."""

    def id_hash(self, basis: int) -> int:
        """Return the 64-bit FNV-1a hash of the trace id, going on from `basis`."""

    def may_hold(self, text: bytes) -> bool:
        """Tell whether these bytes occur anywhere in the trace's spans: False is a sure no, True only a maybe."""

    def holding(self, text: bytes) -> Sequence[int]:
        """Return the places of the spans in whose bytes these occur."""

    def present(self, texts: frozenset[bytes]) -> frozenset[bytes]:
        """Return those of the texts that occur in the trace's spans: what is not among them is a sure no."""

    def places(self, groups: frozenset[Group]) -> Sequence[int]:
        """Return the places of the spans of these groups."""

    def span(self, index: int) -> bytes:
        """Return the span at `index`, with what was appended."""

    def attributes(self, index: int) -> dict[bytes, AnyValue]:
        """Return the attributes of the span at `index` by key; of a key that comes twice the first counts."""

    def attribute(self, index: int, key: bytes) -> AnyValue | None:
        """Return one attribute of the span at `index`, or None; a span that does not hold the key's bytes is not decoded."""

    def events(self, index: int) -> Sequence[Event]:
        """Return the events of the span at `index`."""

    def span_values(self, key: bytes) -> Sequence[AnyValue]:
        """Return the values of the attribute with this key of each span that has it."""

    def encoded_values(self, key: bytes) -> frozenset[bytes]:
        """Return, encoded, the distinct values of the attribute with this key of all spans that have it."""

    def values_behind(self, key: bytes) -> frozenset[bytes] | None:
        """Return, encoded, the distinct values that follow the key's bytes anywhere; None where one is not plain, or they are many.

        A value follows its key in what every encoder writes: the values of the attribute are then among these, and are few.
        """

    def plain_calls(self, marks: CallMarks) -> Sequence[PlainCall] | None:
        """Return the calls of a service in this trace, in the order of their first spans; None where it takes a closer look.

        A store that returns None is right as well, and slower.
        """

    def unwanted_calls(self, wanted: Wanted) -> int | None:
        """Return how many calls, those above all others, a trace is about that is not wanted; None where it is wanted.

        A store that returns None is right as well, and slower.
        """

    def time_spent(self, steps: TimeSteps, places: Sequence[int] | None, begin: int, end: int) -> Sequence[int] | None:
        """Return the nanoseconds from `begin` to `end` by stage, from the spans at these places, or all where that is None.

        Each moment counts once, see `TimeSteps`. None where it takes a closer look; a store that returns None is right as well,
        and slower.
        """

    def append(self, places: Sequence[int], encoded: bytes) -> None:
        """Add encoded attributes (see `spans.attributes`) to the spans at these places."""

    def append_missing(self, places: Sequence[int], attributes: Encoded) -> int:
        """Add to each of these spans the attributes that it lacks; return how many lacked none.

        A span that does not hold the bytes of a key is not decoded. Raises DecodeError where one has to be and cannot; the spans
        before it have then got theirs.
        """

    def set_error(self, index: int, message: str) -> None:
        """Give the span at `index` the status ERROR, with a description, instead of the status that it has."""

    def set_trace_state(self, index: int, trace_state: bytes) -> None:
        """Give the span at `index` this trace state instead of the one that it has."""

    def without_malformed(self) -> Trace:
        """Return this trace without the spans that are not well formed; itself where all are.

        A span is well formed where it is valid protobuf down to the last attribute, and its ids have their lengths. What counts
        are the bytes as they came; what was appended stays.
        """

    def release(self) -> None:
        """Give back the memory for all that was decoded, and for spans as they came: the decision is made, what is left waits."""


class Taken(NamedTuple):
    """Traces whose time has come."""

    traces: Sequence[Trace]
    unwanted: Sequence[tuple[float, int]] = ()
    """How many more there were that nobody wanted, by when their first spans came: they are gone, and remembered as not sampled."""
    unwanted_spans: int = 0
    unwanted_calls: int = 0
    """How many spans those had, and how many calls they were about."""
    shown: Sequence[Trace] = ()
    """Some of those, for people to look at; see `Store.show`."""
    dropped: Sequence[tuple[Any, float, int, int]] = ()
    """Verdicts of `Wanted.drops`: each with when the first spans of its traces came, how many these are, and their spans. They are
    gone, too, and their calls are among `unwanted_calls`."""
    shown_dropped: Sequence[tuple[Any, Trace]] = ()
    """Some of those, likewise."""


class Arrived(NamedTuple):
    """What came of a request."""

    spans: int = 0
    """How many were in it."""
    refused: int = 0
    """How many of these have no valid trace id."""
    early: Sequence[tuple[Any, int, int]] = ()
    """Verdicts by the names of root spans, when they came: each with the traces that are gone by it, and their spans."""
    late: Sequence[tuple[Any, Trace]] = ()
    """Spans of traces that were sampled: what was remembered of the trace, and a trace of that one span."""
    late_not_sampled: int = 0
    """How many spans are of traces that were not sampled."""
    shown: Sequence[tuple[Any, Trace]] = ()
    """Some of the traces that are gone early, with all their spans up to this request, for people to look at; see `Store.show`."""
    passed: Sequence[Trace] = ()
    """Traces that are gone by a verdict in `early`, and spans of traces that were not sampled, each as a trace: those in whose
    bytes one of `StoreSettings.passes` occurs, or with a root whose name begins with `passes_roots`; counted above, too."""


class StoreSettings(NamedTuple):
    """How long traces wait, in seconds, and what is remembered of them."""

    wait: float
    """From a trace's first span until it is due."""
    wait_after_root: float = 0.0
    """If not 0, a trace is due this long after a root span, if that is sooner."""
    wait_after_complete: float = 0.0
    """If not 0, a trace is due when it is complete and nothing has arrived for this long, if that is sooner."""
    sampled_cache_size: int = 0
    """How many trace ids are remembered as sampled."""
    not_sampled_cache_size: int = 0
    """How many trace ids are remembered as not sampled."""
    asks_roots: bool = False
    """Whether the names of root spans are asked about when they arrive."""
    tells_resources: bool = False
    """Whether `of_root` is given the group of the root behind its name. A store that gives the name alone is right as well: more
    traces then wait for their decision."""
    tells_touched: bool = False
    """Whether `touched` and `take_larger_than` are called."""
    passes: frozenset[bytes] = frozenset()
    """What spans hold that somebody wants to see even where nothing is left to decide about them; see `Arrived.passed`."""
    passes_roots: bytes = b""
    """How the name of a root span begins that somebody wants to see likewise; empty for none."""


class Store(Fates, Protocol):
    """Spans by trace until their trace is due, and what was decided over traces that are gone.

    Knows no clock and no lock: the caller tells the time, in seconds that never run backwards, and serializes the calls; only
    `join` and those of `Fates` may come at any time, and a trace that was taken is its taker's own.

    A store is made from its settings and from `of_root`, which is asked about the name of each root span: None where that tells
    nothing, ASK where rules have to be asked about its trace, else the verdict that it settles, always the same object for the
    same verdict. Answers are remembered until `configure`.
    """

    @property
    def spans(self) -> int:
        """How many spans wait."""

    @property
    def size(self) -> int:
        """Their bytes."""

    @property
    def group_size(self) -> int:
        """The bytes of the resources and scopes that are held for them."""

    @property
    def wait(self) -> float:
        """How long a trace waits at the most; seconds."""

    @property
    def tick(self) -> float:
        """How long it may take until someone looks for traces that are due; seconds."""

    def __len__(self) -> int:
        """Return how many traces wait."""

    def ingest(self, request: bytes, now: float) -> Arrived:
        """Take in a serialized ExportTraceServiceRequest.

        Raises DecodeError where the request, a resource or a scope is not valid protobuf, and has then taken nothing in.
        """

    def touched(self) -> Sequence[Trace]:
        """Return the traces to which the last request added, and which still wait, in the order of their first span in it.

        Of a trace with more than SMALL_TRACE spans only where it has as many as `looked_at_again` said when it was last returned:
        to look at all of a growing trace with each of its spans would be quadratic.
        """

    def take_larger_than(self, size: int) -> list[Trace]:
        """Remove and return those of the touched traces whose spans take more than this many bytes."""

    def take(self, trace_id: bytes) -> Trace:
        """Remove and return a trace that waits. Raises KeyError where it does not."""

    def take_due(self, now: float, limit: int) -> list[Trace]:
        """Remove and return traces whose time has come, about `limit` at the most.

        First those that are due after their root, then those that have waited long enough, the oldest first, then those that are
        complete.
        """

    def take_wanted(self, now: float, limit: int, wanted: Wanted) -> Taken:
        """Do the same, but for traces that are not wanted: the store may drop those itself, as not sampled, and others by verdict.

        A store that drops none is right as well, and slower.
        """

    def take_oldest(self, limit: int) -> list[Trace]:
        """Remove and return the oldest traces, due or not, `limit` at the most."""

    def remember(self, trace_id: bytes, kept: object | None) -> None:
        """Remember of a trace that is gone that it was sampled, and `kept`; or, where that is None, that it was not sampled."""

    def show(self, basis: int, unwanted: int, early: int) -> None:
        """Give out, from now on, some of the traces that go without anyone having seen them, for people to look at.

        They are those of which `Trace.id_hash(basis)` is less than `unwanted`, where nobody wanted them, or than `early`, where
        the name of their root decided early; of one request, or of one call of `take_wanted`, 256 at the most.
        """

    def count_with(self, requests: Any) -> bool:
        """Have this count the requests of traces, and of late spans, that are given to nobody; tell whether that is done.

        What `StoreSettings.passes` names is counted too, and is not in `Arrived.passed`. Said once; whoever says it keeps it alive.
        A store that returns False is right as well, and slower: somebody has to want those traces.
        """

    def configure(self, settings: StoreSettings, now: float) -> None:
        """Go on with other settings, and ask anew about names of root spans.

        Traces that wait are then `asked`, and wait no longer than the new wait from now on.
        """

    @staticmethod
    def join(traces: Sequence[Trace]) -> bytes:
        """Serialize an ExportTraceServiceRequest that holds these traces."""
