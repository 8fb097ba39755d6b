"""`decisions`: the latest ones, kept and not kept, by what is asked for."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple

from milvus_otel_processor.page.decided import copied
from milvus_otel_processor.sampling.policies.milvus_spans import COLLECTION
from milvus_otel_processor.spans.schema import DecodeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milvus_otel_processor.page.decided import Decided, DecidedTraces

_REMEMBERED = 20_000
_ERROR = frozenset({2})
_MOST = 500


class Row(NamedTuple):
    """One decided trace."""

    trace_id: str
    at: float
    decision: str
    policy: str | None
    trigger: str
    root: str
    collections: list[str]
    duration_ms: float
    spans: int
    error: bool
    malformed: bool


class Wanted(NamedTuple):
    """What rows are asked for; what is empty says nothing."""

    decision: str = ""
    policy: str = ""
    collection: str = ""
    root: str = ""
    min_ms: float = 0.0
    max_ms: float = float("inf")
    status: str = ""
    """`error` or `ok`."""
    limit: int = 100

    def is_it(self, row: Row) -> bool:
        """Tell whether a row is asked for."""
        return (
            (not self.decision or row.decision == self.decision)
            and (not self.policy or row.policy == self.policy)
            and (not self.collection or self.collection in row.collections)
            and (not self.root or self.root.lower() in row.root.lower())
            and self.min_ms <= row.duration_ms <= self.max_ms
            and (not self.status or row.error == (self.status == "error"))
        )


class Listing:
    """Rows of decided traces; what was read of a trace is remembered, since the page asks every few seconds."""

    def __init__(self, decided: DecidedTraces) -> None:
        self._decided = decided
        self._rows: OrderedDict[tuple[bytes, float], Row] = OrderedDict()

    def rows(self, wanted: Wanted) -> dict[str, Any]:
        """Return the latest that are asked for, and of how many; called by one thread."""
        found, looked_at = [], 0
        for row in self._all():
            looked_at += 1
            if wanted.is_it(row):
                found.append(row._asdict())
                if len(found) >= min(wanted.limit, _MOST):
                    break
        return {"decisions": found, "looked_at": looked_at, "remembered": len(self._decided)}

    def _all(self) -> Iterator[Row]:
        for one in self._decided.latest_first():
            key = (one.trace.id, one.at)
            row = self._rows.get(key)
            if row is None:
                row = self._rows[key] = _row(one)
                if len(self._rows) > _REMEMBERED:
                    self._rows.popitem(last=False)
            yield row


def _row(one: Decided) -> Row:
    trace = copied(one.trace)
    root, collections, milliseconds, error, malformed = "", list[str](), 0.0, False, False
    try:
        root = next((head.name.decode("utf-8", "replace") for head in trace.roots), "")
        milliseconds = round(trace.duration_nanoseconds / 1e6, 3)
        error = trace.has_status(_ERROR)
        values = trace.span_values(COLLECTION)
        collections = sorted({value.string_value.decode("utf-8", "replace") for value in values} - {""})
    except DecodeError:
        malformed = True
    return Row(
        trace_id=trace.id.hex(),
        at=round(one.at, 3),
        decision=one.verdict.decision.value,
        policy=one.verdict.policy,
        trigger=one.trigger,
        root=root,
        collections=collections,
        duration_ms=milliseconds,
        spans=len(trace),
        error=error,
        malformed=malformed,
    )
