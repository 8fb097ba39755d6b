"""Which store holds the lines of the access log: the native one beside the native store of spans, else the one in Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milvus_otel_processor.enrichment.access_log.store import Store
from milvus_otel_processor.spans.stores import NATIVE, chosen

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

    from milvus_otel_processor.enrichment.access_log.contract import LineStore
    from milvus_otel_processor.spans.stores import StoreKind


def make_line_store(
    kind: StoreKind,
    *,
    own: bytes,
    max_lines: int,
    hold: Callable[[], float],
    clock: Callable[[], float],
    counts: Counter[str],
    is_waiting: Callable[[bytes], bool],
) -> LineStore:
    """Return a store for lines beside a store of this kind for spans; lines with the trace id `own` need not be held.

    Raises StoreError where it cannot be had.
    """
    if chosen(kind) != NATIVE:
        return Store(max_lines=max_lines, hold=hold, clock=clock, counts=counts, is_waiting=is_waiting)
    from milvus_otel_processor.enrichment.access_log.native import NativeLineStore  # noqa: PLC0415 - it may not be installed

    return NativeLineStore(own=own, max_lines=max_lines, hold=hold, clock=clock, counts=counts, is_waiting=is_waiting)
