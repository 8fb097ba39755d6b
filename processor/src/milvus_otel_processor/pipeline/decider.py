"""Makes the decision over a trace that is due, acts on it, and remembers it for the spans that come late."""

from __future__ import annotations

import logging
from functools import cache, lru_cache
from time import monotonic
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from milvus_otel_processor.sampling.adjusted_counts import InvalidTraceStateError, with_threshold
from milvus_otel_processor.sampling.decision import Decision, Verdict
from milvus_otel_processor.spans import attributes
from milvus_otel_processor.spans.decision_cache import DecisionCache
from milvus_otel_processor.spans.schema import DecodeError
from milvus_otel_processor.spans.span import trace_id as trace_id_of
from milvus_otel_processor.spans.trace import Trace, well_formed
from milvus_otel_processor.telemetry.counters import Lost
from milvus_otel_processor.telemetry.faults import FaultLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from milvus_otel_processor.enrichment.attributes import Encoded
    from milvus_otel_processor.enrichment.enricher import Enricher
    from milvus_otel_processor.sampling.sampler import Sampler
    from milvus_otel_processor.sampling.settings import DecisionCacheSettings
    from milvus_otel_processor.spans.groups import Group
    from milvus_otel_processor.telemetry.counters import Tally, Telemetry

POLICY_KEY = "tailsampling.policy"
"""The attribute that names on each kept span the policy that kept its trace, as the Collector's feature gate does on scopes."""

_log = logging.getLogger(__name__)

_ROOT_NAMES_REMEMBERED = 4096

_PASSED = Verdict(Decision.SAMPLED, None)  # where no sampling is configured
MALFORMED = "malformed"
"""The decision over a trace of which no span is valid protobuf, where a rule had to look into them."""
DISCARDED = "discarded"
"""What stands for the decision over a trace that still waited at the end, and was not to be decided."""
FAILED = "failed"
"""The decision over a trace at which the enricher or a policy failed: a fault of this program."""
LATE_SAMPLED, LATE_NOT_SAMPLED = "sampled", "not_sampled"


class _Kept(NamedTuple):
    reason: bytes
    common: Encoded | None
    threshold: int | None


class Exporter(Protocol):
    """Where kept spans go."""

    def put(self, spans: list[tuple[Group, bytes]]) -> None:
        """Take spans over; never waits."""


class Decider:
    """Enriches a trace, asks the sampler, and passes on what is kept. Either of the two may be missing.

    Calls are serialized by the caller.
    """

    def __init__(
        self,
        *,
        enricher: Enricher | None,
        sampler: Sampler | None,
        cache_settings: DecisionCacheSettings,
        exporter: Exporter,
        telemetry: Telemetry,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._faults = FaultLog(_log, clock)
        self._enricher = enricher
        self._sampler = sampler
        self._exporter = exporter
        self._telemetry = telemetry
        remembers = sampler is not None
        self._cache: DecisionCache[_Kept, Decision] = DecisionCache(
            cache_settings.sampled_cache_size if remembers else 0,
            cache_settings.non_sampled_cache_size if remembers else 0,
        )
        self.decided = self._cache.get
        """Return what was decided of the trace with this id, for `follow`; None where nothing was, or it is forgotten."""
        self._tallies: dict[int, tuple[Verdict, Tally]] = {}
        # Traces about which rules on the names of root spans have to be asked: such a name came, or roots before the sampler did.
        self._to_ask: set[bytes] = set()
        self._of_root = lru_cache(maxsize=_ROOT_NAMES_REMEMBERED)(self._ask_of_root)
        self.seals = self._may_seal(cache_settings)
        """Whether a root span can settle a decision at once."""

    def replace_sampler(
        self, sampler: Sampler, cache_settings: DecisionCacheSettings, waiting: Iterable[bytes]
    ) -> None:
        """Decide by another sampler from now on, the traces with these ids, which wait already, as well.

        Late spans go on to follow what was decided by the sampler before.
        """
        self._sampler = sampler
        self._to_ask = set(waiting)
        self._cache.resize(cache_settings.sampled_cache_size, cache_settings.non_sampled_cache_size)
        self._tallies.clear()
        self._of_root.cache_clear()
        self.seals = self._may_seal(cache_settings)

    def _may_seal(self, cache_settings: DecisionCacheSettings) -> bool:
        # Where decisions are not remembered, spans behind their root would be taken for a trace of their own.
        return self._sampler is not None and self._sampler.seals and cache_settings.non_sampled_cache_size > 0

    def decide(self, traces: Iterable[Trace]) -> None:
        """Decide these traces and pass on what is kept of them."""
        for trace in traces:
            self._no_longer_waits(trace)
            self._decide(trace)
            self._to_ask.discard(trace.id)

    def observe(self, request: bytes) -> None:
        """Let enrichment see a serialized ExportTraceServiceRequest that comes in, and is valid protobuf."""
        if self._enricher is not None:
            self._enricher.observe(request)

    def discard(self, traces: Iterable[Trace]) -> None:
        """Lose these traces, undecided."""
        for trace in traces:
            self._no_longer_waits(trace)
            self._to_ask.discard(trace.id)
            self._lose(trace, DISCARDED, Lost.SHUTDOWN)

    @property
    def samples_early(self) -> bool:
        """Whether a trace can be sampled for good before all of it has arrived."""
        return self._sampler is not None and self._sampler.samples_early

    def sampled_for_good(self, trace: Trace) -> bool:
        """Tell whether what there is of a trace settles that it is sampled."""
        try:
            return self._sampler is not None and self._sampler.sampled_for_good(trace)
        except DecodeError:
            return False

    def seal(self, trace_id: bytes, root_name: bytes, spans: int) -> bool:
        """Drop a trace at once if a root span of this name settles that, whatever else arrives; tell whether it did.

        `spans` is how many of its spans have arrived.
        """
        found = self._of_root(root_name)
        if found is None:
            return False
        if isinstance(found, str):
            self._to_ask.add(trace_id)
            return False
        self._to_ask.discard(trace_id)
        decision, tally = found
        self._cache.put_not_sampled(trace_id, decision)
        tally.add(spans)
        return True

    def _ask_of_root(self, name: bytes) -> tuple[Decision, Tally] | Literal["ask"] | None:
        found = self._sampler.of_root(name) if self._sampler is not None and self.seals else None
        return (found.decision, self._tally(found)) if isinstance(found, Verdict) else found

    def follow(self, kept: _Kept | Decision, group: Group, span: bytes) -> None:
        """Do with a span as was decided of its trace: `kept` is what `decided` returned for it."""
        if not isinstance(kept, _Kept):
            self._telemetry.late_spans[LATE_NOT_SAMPLED] += 1
            return
        self._telemetry.late_spans[LATE_SAMPLED] += 1
        self._export([group], [self._enriched(group, span, kept.common)], kept.reason, kept.threshold)

    def _enriched(self, group: Group, span: bytes, common: Encoded | None) -> bytes:
        """Return a late span of a kept trace with what is known of it; Milvus' span of a failed request becomes an ERROR."""
        if self._enricher is None or not well_formed(span):
            return span
        if common is not None:
            span += common.missing(span)
        alone = Trace(trace_id_of(span), [group], [span])
        try:
            self._enricher.enrich_late(alone)
        except Exception as error:  # noqa: BLE001 - as with the decision: a fault of ours must cost no more than the answer
            self._faults.tell(error, "enriching a late span failed: trace_id=%s", alone.id.hex())
            return span
        return alone.spans[0]

    def _no_longer_waits(self, trace: Trace) -> None:
        self._telemetry.waiting_spans -= len(trace.spans)
        self._telemetry.waiting_bytes -= len(trace.joined)

    def _lose(self, trace: Trace, decision: str, reason: Lost) -> None:
        self._telemetry.tally(decision).add(len(trace.spans))
        self._telemetry.lost(reason, len(trace.spans), queued=False)

    def _decide(self, trace: Trace) -> None:
        whole, arrived = trace, len(trace.spans)
        try:
            try:
                verdict, common = self._judge(trace)
            except DecodeError:
                trace = trace.without_malformed()
                if not trace.spans:
                    self._lose(whole, MALFORMED, Lost.MALFORMED)
                    return
                verdict, common = self._judge(trace)
        except Exception as error:  # noqa: BLE001 - see below
            # A fault in one decision must not end all later ones, nor take spans with it uncounted.
            self._faults.tell(
                error, "deciding failed, the trace is lost: trace_id=%s spans=%d", trace.id.hex(), arrived
            )
            self._lose(whole, FAILED, Lost.FAILED)
            return
        self._tally(verdict).add(arrived)
        if self._sampler is not None and self._sampler.has_shadows and verdict.decision is not Decision.DROPPED:
            self._count_shadows(self._sampler, trace, verdict, arrived)
        if verdict.decision is not Decision.SAMPLED:
            self._cache.put_not_sampled(trace.id, verdict.decision)
            return
        if len(trace.spans) < arrived:
            self._telemetry.lost(Lost.MALFORMED, arrived - len(trace.spans), queued=False)
        reason = _policy_attribute(verdict.policy) if verdict.policy is not None else b""
        self._cache.put_sampled(trace.id, _Kept(reason, common, trace.threshold))
        self._export(trace.groups, trace.spans, reason, trace.threshold, sound=trace.sound)

    def _count_shadows(self, sampler: Sampler, trace: Trace, verdict: Verdict, arrived: int) -> None:
        try:
            try:
                shadows = sampler.shadow_verdicts(trace)
            except DecodeError:
                shadows = sampler.shadow_verdicts(trace.without_malformed())
        except Exception as error:  # noqa: BLE001 - what does nothing must not cost a trace either
            self._faults.tell(error, "policies with mode: shadow failed: trace_id=%s", trace.id.hex())
            return
        for would, policy in (shadow.key for shadow in shadows):
            self._telemetry.shadow_tally(policy, would, verdict.decision.value).add(arrived)

    def _tally(self, verdict: Verdict) -> Tally:
        # By identity, because to hash an Enum costs more than all else here; the verdict is held so that its id stays its own.
        known = self._tallies.get(id(verdict))
        if known is None:
            known = self._tallies[id(verdict)] = (verdict, self._telemetry.tally(*verdict.key))
        return known[1]

    def _judge(self, trace: Trace) -> tuple[Verdict, Encoded | None]:
        enricher, sampler = self._enricher, self._sampler
        if sampler is None:
            return _PASSED, enricher.enrich(trace) if enricher is not None else None
        # Where no rule can tell the difference, what is not kept need not be enriched.
        first = enricher is not None and (sampler.reads_enrichment or enricher.may_fail(trace))
        common = enricher.enrich(trace) if first and enricher is not None else None
        verdict = sampler.decide(trace, roots_were_asked=self.seals and trace.id not in self._to_ask)
        if enricher is not None and not first and verdict.decision is Decision.SAMPLED:
            trace.sound = all(map(well_formed, trace.spans))  # before they grow, which makes it dearer to find out
            common = enricher.enrich(trace)
        return verdict, common

    def _export(
        self, groups: list[Group], spans: list[bytes], reason: bytes, threshold: int | None, *, sound: bool = False
    ) -> None:
        good = [(group, span) for group, span in zip(groups, spans, strict=True) if sound or well_formed(span)]
        if reason:
            good = [(group, span + reason if _POLICY_KEY not in span else _with(span, reason)) for group, span in good]
        if threshold is not None:
            good = [(group, self._with_threshold(span, threshold)) for group, span in good]
        if len(good) < len(spans):
            # One of them in a request, and its receiver refuses all the others with it.
            self._telemetry.lost(Lost.MALFORMED, len(spans) - len(good), queued=False)
        if good:
            self._exporter.put(good)

    def _with_threshold(self, span: bytes, threshold: int) -> bytes:
        try:
            return with_threshold(span, threshold)
        except InvalidTraceStateError:
            self._telemetry.invalid_trace_states += 1
            return span


@cache
def _policy_attribute(policy: str) -> bytes:
    return attributes.span_attribute(POLICY_KEY, policy)


_POLICY_KEY = POLICY_KEY.encode()


def _with(span: bytes, reason: bytes) -> bytes:
    # A sampler in front of this one may have left its own name; keys are unique, and what is there stays.
    return span if attributes.find(span, _POLICY_KEY) is not None else span + reason
