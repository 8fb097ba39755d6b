"""Whether requests are counted in Rust, beside the native store of spans, or in Python alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from milvus_otel_processor.requests.repeated import Repeats
from milvus_otel_processor.spans.stores import NATIVE, chosen

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Sequence

    from milvus_otel_processor.enrichment.component import Enrichment
    from milvus_otel_processor.enrichment.enricher import Known
    from milvus_otel_processor.requests.counts import Counts
    from milvus_otel_processor.requests.recorder import Recorder
    from milvus_otel_processor.spans.contract import Trace
    from milvus_otel_processor.spans.stores import StoreKind


class NativeRecorder(Repeats, Protocol):
    """Counts requests in Rust, where they are plain to see, and asks a recorder in Python about those of a new kind."""

    def see(self, trace: Trace, kept: bool, known: Sequence[Known | None] | None, /) -> None:
        """Count the requests of a trace that was decided, or in a span that came later.

        `known` is what was found to be known of them; None where nobody has looked.
        """

    def write_times(self, trace: Trace, /) -> bool:
        """Write on the span of each request where its time went, and return True; or do nothing, where that is not plain to see."""


def make_native_recorder(
    kind: StoreKind,
    recorder: Recorder,
    counts: Counts,
    enrichment: Enrichment,
    apart: Counter[str],
    *,
    wants: Callable[[str], bool],
    is_first: bool,
) -> NativeRecorder | None:
    """Return what counts beside such a store as the recorder does; None where that is the recorder alone.

    Only what is told by sources that it knows can be told from one request to the next. `wants` tells which attributes are written
    on kept spans, `is_first` whether no stage in front of enrichment may append anything.
    """
    if chosen(kind) != NATIVE or enrichment.enricher.wants is None:
        return None
    from milvus_otel_processor.requests.native_recorder import native_recorder  # noqa: PLC0415 - it may not be installed

    return native_recorder(recorder, counts, enrichment, apart, wants=wants, is_first=is_first)
