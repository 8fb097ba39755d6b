"""What is said of one Milvus request, kept or not, to what counts all of them."""

from __future__ import annotations

from typing import NamedTuple

CLIENT, QUEUE, COORDINATORS, WAIT, QUERY_NODES, CORE, WRITE, REDUCE, UNEXPLAINED = (
    "client",
    "queue",
    "coordinators",
    "wait",
    "query_nodes",
    "core",
    "write",
    "reduce",
    "unexplained",
)

STAGES: tuple[str, ...] = (CLIENT, QUEUE, COORDINATORS, WAIT, QUERY_NODES, CORE, WRITE, REDUCE, UNEXPLAINED)
"""Where a request's time can go, in the order of its way. `client` is what the caller waited beside Milvus' own time, so no part of
`Record.nanoseconds`; the other stages never overlap, and add up to it. docs/observability.md says which spans tell each.
"""


class Series(NamedTuple):
    """What a request is counted under; each is "" where it is not known, and `error_type` also where it succeeded.

    There are no more than `max_series` of them: the same object stands for all requests of one series, and `OVERFLOW` for the
    requests of all series that found no room.
    """

    database: str
    collection: str
    operation: str
    error_type: str
    service: str
    """The `service.name` of the caller, where its spans say it."""


OVERFLOW = Series("", "otel.metric.overflow", "", "", "")
"""The series of all requests that found no room for one of their own, named as in OpenTelemetry's SDKs."""


class Record(NamedTuple):
    """One Milvus request, after the decision over its trace."""

    series: int
    """The number of its series, in `SeriesTable.all`."""
    nanoseconds: int
    """From its start to its end in Milvus' own proxy, never negative."""
    times: tuple[int, ...]
    """Nanoseconds by stage, in the order of `STAGES`; 0 where none of its spans says how long."""
    kept: bool
    trace_id: bytes
    ended_ns: int
    """Unix time."""
