"""Whether requests are counted in Rust, beside the native store of spans, or in Python alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from milvus_otel_processor.requests.repeated import Repeats
from milvus_otel_processor.spans.stores import NATIVE, chosen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milvus_otel_processor.enrichment.component import Enrichment
    from milvus_otel_processor.enrichment.enricher import Known
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


def counts_natively(kind: StoreKind, enrichment: Enrichment) -> bool:
    """Tell whether requests are counted in Rust beside such a store.

    Only what is told by sources that it knows can be told from one request to the next.
    """
    return chosen(kind) == NATIVE and enrichment.enricher.wants is not None
