"""Which spans belong to which request of a trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from milvus_otel_processor.otlp.span import NO_PARENT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from milvus_otel_processor.otlp.schema import Head

T = TypeVar("T")


def nearest_request(heads: Sequence[Head], requests: Mapping[int, T]) -> dict[int, T]:
    """Return for each span its request: that of the nearest ancestor that is in `requests`, or its own.

    `requests` has places in `heads` as keys; so has the result, in which spans outside of every request are missing. Spans
    whose parent did not arrive, or whose parents form a circle, belong to none.
    """
    place = {head.span_id: index for index, head in enumerate(heads)}
    for no_id in NO_PARENT:
        place.pop(no_id, None)  # else a span that lacks its id would be the parent of every root
    known: dict[int, T | None] = dict(requests)
    for index in range(len(heads)):
        path = []
        at: int | None = index
        while at is not None and at not in known:
            known[at] = None  # until the way up has an answer; a circle ends here
            path.append(at)
            at = place.get(heads[at].parent_span_id)
        answer = known[at] if at is not None else None
        if answer is not None:
            known.update(dict.fromkeys(path, answer))
    return {index: answer for index, answer in known.items() if answer is not None}
