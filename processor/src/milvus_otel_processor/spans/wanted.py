"""What a store is told, so that it gives out at their decision only traces that somebody wants to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from milvus_otel_processor.spans.groups import Group

PlainCall = tuple[bytes, "int | None", "int | None", list[int], bool, "int | None"]
"""A call: the name of its span, or nothing where it is an operation that calls are made for; the places of the caller's span and of
the service's own, as far as they are there; the places of the spans whose nearest call it is; whether all of these but its own are
the service's; the place of the call that is above it."""


class CallMarks(NamedTuple):
    """How the calls of a gRPC service are told from other spans, and in which traces that is not plain.

    Made once, not each time.
    """

    service: bytes
    """Its full name: what the spans of a call are named by, and hold, whoever made them."""
    parts: bytes
    """What the names of spans hold that are calls of other services."""
    others: frozenset[bytes]
    """What a trace holds in which other spans may be requests as well."""
    roots: bytes
    """How the name of a root begins that may be one as well."""
    operations: bytes
    """What all keys hold of the attributes by which a span that is not the service's own is an operation of a client of it."""
    operation_keys: tuple[bytes, ...]
    """Those attributes, of which the first that is there tells."""
    operation_value: bytes
    """Its text."""
    is_own: Callable[[Group], bool]
    """Whether spans of this group are the service's own."""


class WantedCalls(NamedTuple):
    """A trace about a call is wanted where it has one of these; so is one in which calls are not plain."""

    marks: CallMarks
    texts: frozenset[bytes]
    """Bytes that its spans hold."""
    key: bytes
    values: frozenset[bytes]
    """An attribute with this key, and another value, encoded, than these."""
    is_known: Callable[[bytes], bool]
    """Whether more is known of the trace with this id: asked of every trace that would not be wanted."""


class WantedFailures(NamedTuple):
    """A trace in which a call of a gRPC service may have failed is wanted: where it has one of these."""

    service: bytes
    """The service's full name, which the spans of a call hold."""
    key: bytes
    values: frozenset[bytes]
    """An attribute with this key, and another value, encoded, than these, in a trace that holds the service."""
    is_known: Callable[[bytes, bool], bool]
    """Whether it is known from elsewhere: asked of every trace that would not be wanted, by its id and by whether it holds the
    service."""


class WantedValue(NamedTuple):
    """A trace is wanted where, behind the bytes of an attribute's key, such a value follows, or one that is not plain to see."""

    key: bytes
    matches: Callable[[bytes], bool]
    """Whether this value, encoded, is such a one. Asked once of each of those that came last, so its answers may not change."""
    bounds: tuple[float, float] | None = None
    """The least and the greatest number, instead of asking; what is no number counts as 0."""
    decoded: bool = False
    """Whether spans that hold the key are decoded whatever its value is, so that malformed ones make a difference."""


class TimeSteps(NamedTuple):
    """How spans tell where the time of a request went: stages are numbers from 0, and of several at one moment the least counts.

    Made once, not each time.
    """

    step_of: Callable[[bytes], int | None]
    """What a span's name tells: a stage; behind the last stage 0 more for the span that takes the request up, 1 for the task before
    whose start it is in the queue, 2 for a task whose steps are events; None for nothing. Asked once of each name."""
    events: Sequence[tuple[bytes, int]]
    """The events with which the steps of such a task begin, and their stages."""
    queue: int
    """The stage of the queue."""
    core: int
    """The stage of the C++ core."""
    is_core: Callable[[Group], bool]
    """Whether spans of this group are of that. Asked once of each group."""


class Wanted(NamedTuple):
    """What a trace has to have for anyone to look at it at its decision: it is wanted where it has one of these.

    Made once, not each time. A trace with a malformed head is always wanted, and so is one in which a span begins after the year
    2262, where nanoseconds are more than 63 bits hold, and differences are not what they seem.
    """

    statuses: frozenset[int] = frozenset()
    """A span with a status of this code."""
    durations: tuple[tuple[int, int | None], ...] = ()
    """From the earliest start to the latest end at least as many nanoseconds as one of these says first, and at most as many as it
    says then; None for no bound."""
    counts: tuple[tuple[int, int | None], ...] = ()
    """A number of spans within such bounds."""
    hashes: tuple[tuple[int, int], ...] = ()
    """A hash of its id, going on from the first number, that is not above the second; see `Trace.id_hash`."""
    roots: bool = False
    """Whether it is `asked`."""
    rootless: bool = False
    """Whether it has no root."""
    texts: frozenset[bytes] = frozenset()
    """Bytes that its spans hold."""
    values: tuple[WantedValue, ...] = ()
    """An attribute with such a value."""
    of_group: Callable[[Group], bool] | None = None
    """A span of such a group. Asked once of each group, so its answers may not change."""
    calls: WantedCalls | None = None
    failures: WantedFailures | None = None
    drops: Drops | None = None
    """What the store may do with traces that are wanted."""


class Drops(NamedTuple):
    """Traces with one root that are dropped by its name and group: nobody has to look at them, though they are wanted.

    Made once, not each time.
    """

    of_root: Callable[[bytes, Group], int | None]
    """The place among `verdicts` of what drops a trace with this root alone; None where nothing surely does. Asked once of each
    name and group of those that came last, so its answers may not change."""
    verdicts: tuple[tuple[object, Wanted], ...]
    """Each with what a trace has to have for it not to be sure."""
    seen: Wanted
    """What a trace has to have for somebody to look at it, whatever the verdict is."""
    asked: bool
    """Whether only traces that are `asked` can be dropped."""
