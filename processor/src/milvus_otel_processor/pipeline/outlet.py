"""The last step before the exporter: well formed spans alone, each with what says why it was kept."""

from __future__ import annotations

import logging
from functools import lru_cache
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from milvus_otel_processor.sampling.adjusted_counts import set_threshold
from milvus_otel_processor.spans.attributes import Encoded
from milvus_otel_processor.telemetry.counters import Lost
from milvus_otel_processor.telemetry.faults import FaultLog

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from milvus_otel_processor.pipeline.contracts import Exporter
    from milvus_otel_processor.spans.contract import Trace
    from milvus_otel_processor.telemetry.counters import Telemetry

_log = logging.getLogger(__name__)

POLICY_KEY = "tailsampling.policy"
"""The attribute that names on each kept span the policy that kept its trace, as the Collector's feature gate does on scopes."""


class Kept(NamedTuple):
    """What is remembered of a trace that was kept, for its late spans."""

    policy: str | None
    """The policy that kept it."""
    common: Sequence[Encoded]
    """What each of its spans is to be given."""
    threshold: int | None
    """The sampling threshold that each of them has to tell, if any."""
    decided_at: float
    """When that was; seconds of the pipeline's clock."""


class Outlet:
    """Hands kept spans to the exporter; `redact` returns a trace without what must not leave, and nothing passes it by."""

    def __init__(
        self,
        exporter: Exporter,
        telemetry: Telemetry,
        clock: Callable[[], float] = monotonic,
        *,
        redact: Callable[[Trace], Trace] | None = None,
    ) -> None:
        self._exporter = exporter
        self._telemetry = telemetry
        self._faults = FaultLog(_log, clock)
        self._redact = redact

    def put(self, trace: Trace, kept: Kept) -> None:
        """Export the spans of a kept trace, or one that came late."""
        good = trace.without_malformed()
        if len(good) < len(trace):
            # One of them in a request, and its receiver refuses all the others with it.
            self._telemetry.lost(Lost.MALFORMED, len(trace) - len(good), queued=False)
        if not len(good):
            return
        if kept.policy is not None:
            # A sampler in front of this one may have left its own name; keys are unique, and what is there stays.
            good.append_missing(range(len(good)), _policy_attribute(kept.policy))
        if kept.threshold is not None:
            self._telemetry.invalid_trace_states += set_threshold(good, kept.threshold)
        out = good if self._redact is None else self._redacted(good, self._redact)
        good.release()
        if out is not None:
            self._exporter.put(out)

    def _redacted(self, trace: Trace, redact: Callable[[Trace], Trace]) -> Trace | None:
        try:
            return redact(trace)
        except Exception as error:  # noqa: BLE001 - what cannot be redacted must not leave
            self._faults.tell(error, "redacting failed, the spans are lost: trace_id=%s", trace.id.hex())
            self._telemetry.lost(Lost.FAILED, len(trace), queued=False)
            return None


@lru_cache(maxsize=1024)
def _policy_attribute(policy: str) -> Encoded:
    return Encoded([(POLICY_KEY, policy)])
