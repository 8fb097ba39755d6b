"""The spans of a trace as a tree."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milvus_otel_processor.replay.kept_span import KeptSpan


def in_tree_order(trace: list[KeptSpan]) -> Iterator[tuple[KeptSpan, int]]:
    """Yield each span with its depth, parents before children, siblings by start time.

    A span whose parent is not in the trace counts as a root; one of a circle of parents, which no root leads to, too.
    """
    known = {span.span_id for span in trace}
    children: defaultdict[str, list[KeptSpan]] = defaultdict(list)
    roots: list[KeptSpan] = []
    for span in sorted(trace, key=lambda span: span.start):
        (children[span.parent_id] if span.parent_id in known else roots).append(span)
    seen: set[int] = set()
    waiting = [(span, 0) for span in reversed([*roots, *trace])]
    while waiting:
        span, depth = waiting.pop()
        if id(span) in seen:
            continue
        seen.add(id(span))
        yield span, depth
        waiting.extend((child, depth + 1) for child in reversed(children[span.span_id]))
