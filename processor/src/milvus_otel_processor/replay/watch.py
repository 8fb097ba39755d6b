"""Rules that are watched while they decide in a replay: why one trace was decided so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milvus_otel_processor.pipeline.triggers import DUE
from milvus_otel_processor.replay.decoded import decode
from milvus_otel_processor.replay.explained import COMPLETE, ROOT, TIME, Explained, Trigger, not_by_the_store
from milvus_otel_processor.sampling.decision import NOT_SAMPLED, Verdict
from milvus_otel_processor.sampling.hints.reads import Reads
from milvus_otel_processor.sampling.rules import Rules
from milvus_otel_processor.spans.groups import GroupRegistry, join_traces
from milvus_otel_processor.spans.span import trace_id_and_root_name

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator

    from milvus_otel_processor.sampling.policies import Clock
    from milvus_otel_processor.sampling.settings import TailSamplingSettings
    from milvus_otel_processor.spans.contract import Store, Trace
    from milvus_otel_processor.spans.groups import Group


class WatchedRules(Rules):
    """Rules that are told what arrives."""

    def __init__(self, settings: TailSamplingSettings | None, clock: Clock, evaluation_errors: Counter[str]) -> None:
        self._now = clock.monotonic
        self._registry = GroupRegistry()
        super().__init__(settings, clock, evaluation_errors)

    def wants(self) -> None:
        """Return None: it looks at every trace."""
        return

    def drops(self) -> None:
        """Return None: likewise."""
        return

    def put(self, trace: Trace) -> None:
        """See spans that are kept, late ones too."""

    def before(self, request: bytes) -> None:
        """See a request right before it is taken in. Raises DecodeError at one that is malformed."""

    def after(self, store: Store) -> None:
        """See what has become of it."""

    def finish(self) -> None:
        """See that nothing more comes."""

    def _spans(self, request: bytes) -> Iterator[tuple[bytes, bytes | None, Group, bytes]]:
        """Yield each span with its trace id, its name where it is a root, and its group."""
        for group, spans in self._registry.split(request):
            for span in spans:
                yield *trace_id_and_root_name(span), group, span


class ExplainedRules(WatchedRules):
    """Explains the decision over the trace with the id `wanted`, in `found`.

    Decides at the time of each trace: no root settles a verdict at once, so that the trace is seen.
    """

    wanted: bytes = b""
    found: Explained | None = None
    _settings: TailSamplingSettings | None = None
    _first = _root = None
    _settled = False

    def replace(self, settings: TailSamplingSettings | None) -> None:
        """Go by other settings from now on."""
        super().replace(settings)
        self._settings = settings
        self.asks_roots = False
        self.reads = Reads.TIMES  # what is known of the trace is part of the explanation

    def before(self, request: bytes) -> None:
        """Note when spans of the wanted trace arrive."""
        if self.wanted not in request:
            return
        for trace_id, root_name, group, _ in self._spans(request):
            if trace_id == self.wanted:
                self._first = self._first if self._first is not None else self._now()
                if root_name is not None:
                    self._root = self._now()
                    self._settled |= isinstance(self.of_root(root_name, group), Verdict)

    def decide(self, trace: Trace) -> Verdict:
        """Return the verdict over a trace. Raises DecodeError at a malformed span."""
        if self.found is not None:
            return NOT_SAMPLED  # nobody asks about those that are due after it
        if trace.id != self.wanted or self._sampler is None:
            return super().decide(trace)
        explanation = self._sampler.explain(trace)
        self.found = Explained(
            explanation,
            list(decode(join_traces([trace]))),
            trace.duration_nanoseconds / 1e6,
            bool(trace.roots),
            trace.complete,
            self._now() - (self._first or 0.0),
            self._trigger(),
        )
        return explanation.verdict

    def _trigger(self) -> Trigger:
        settings = self._settings
        assert settings is not None
        if self._settled:
            return Trigger(ROOT, "")
        if self.trigger != DUE:
            return not_by_the_store(self.trigger)
        now, after_root = self._now(), settings.decision_wait_after_root_received
        if self._first is None or now - self._first >= settings.decision_wait:
            return Trigger(TIME, "decision_wait")
        if after_root and self._root is not None and now - self._root >= after_root:
            return Trigger(ROOT, "decision_wait_after_root_received")
        return Trigger(COMPLETE, "decision_wait_after_complete")
