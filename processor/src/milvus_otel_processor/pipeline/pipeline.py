"""The way of a span: in from the receiver, held until its trace is due, enriched, decided, out to the exporter."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from milvus_otel_processor.pipeline.triggers import BY_ROOT, DUE, SHUTDOWN
from milvus_otel_processor.pipeline.wishes import Wishes
from milvus_otel_processor.sampling.decision import NOT_SAMPLED
from milvus_otel_processor.sampling.hints.reads import Reads
from milvus_otel_processor.spans.contract import Taken
from milvus_otel_processor.spans.fnv import fnv1a
from milvus_otel_processor.telemetry.counters import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from milvus_otel_processor.pipeline.decider import Decider
    from milvus_otel_processor.pipeline.early import EarlyDecisions
    from milvus_otel_processor.pipeline.late import LateSpans
    from milvus_otel_processor.pipeline.limits import Limits
    from milvus_otel_processor.pipeline.stages import Stages
    from milvus_otel_processor.sampling.rules import Rules
    from milvus_otel_processor.sampling.settings import TailSamplingSettings
    from milvus_otel_processor.spans.contract import Store, StoreSettings
    from milvus_otel_processor.telemetry.counters import Snapshot, Telemetry

T = TypeVar("T")

_BASIS = fnv1a(b"looked at")  # another hash than that of rules, which would choose the same traces
_HASHES = 1 << 64
_TRACES_PER_TURN = 64  # decided before the lock is given back, so that a request never waits long for it


class Pipeline:
    """Takes requests in, has the store hold their spans by trace, and hands each trace on when it is due.

    One lock guards all of it, decisions included: Python runs one thread at a time anyway, and so no span can slip in between
    the end of its trace's wait and the decision over it. Threads that bring requests and the one that ticks may call at once.
    """

    def __init__(
        self,
        *,
        store: Store,
        rules: Rules,
        stages: Stages,
        decider: Decider,
        late: LateSpans,
        early: EarlyDecisions,
        telemetry: Telemetry,
        clock: Callable[[], float],
        wait_for_room: Callable[[float], bool] = lambda _: True,
    ) -> None:
        self._store = store
        self._stages = stages
        self._wait_for_room = wait_for_room
        self._rules = rules
        self._decider = decider
        self._late = late
        self._early = early
        self._telemetry = telemetry
        self._clock = clock
        self._lock = Lock()
        self._wishes = Wishes(rules, stages)
        self.decided_until = float("-inf")
        """All traces of which a span was taken in before this time are decided; seconds of the clock."""

    def replace_rules(
        self,
        sampling: TailSamplingSettings,
        limits: Limits,
        store_settings: Callable[[Rules], StoreSettings],
    ) -> None:
        """Decide by other rules from now on, the traces that wait as well; none of them is lost, none waits longer than now set."""
        with self._lock:
            self._rules.replace(sampling)
            self._wishes.forget()
            self._decider.forget_verdicts()
            self._early.limits = limits
            self._store.configure(store_settings(self._rules), self._clock())

    def ingest(self, request: bytes) -> int:
        """Take in a serialized ExportTraceServiceRequest and return how many of its spans were refused.

        Raises DecodeError where it is not valid protobuf, and has then taken nothing in. When more waits than may, the caller's
        thread decides the oldest traces, so that input slows down to the pace of the decisions.
        """
        with self._lock:
            now = self._clock()
            arrived = self._store.ingest(request, now)
            self._telemetry.received_requests += 1
            self._telemetry.received_spans += arrived.spans
            if arrived.refused:
                self._telemetry.refused_spans[Refused.INVALID_TRACE_ID.value] += arrived.refused
            self._stages.on_request(request)
            self._late.follow(arrived, now)
            if arrived.shown:
                self._decider.show(arrived.shown, BY_ROOT)
            self._early.after(arrived)
            self._count_waiting()
        return arrived.refused

    def tick(self) -> None:
        """Decide all traces that are due, as far as there is room for what is kept; the next call goes on from there."""
        # What waits for room holds no lock: requests still come in, and a trace that waits longer only grows more complete.
        while self._wait_for_room(self._store.tick) and self._turn():
            pass

    def drain(self, seconds_left: Callable[[], float] = lambda: 0.0) -> None:
        """Decide all traces that wait, due or not, as far as there is room for what is kept, or will be in `seconds_left()`."""
        while len(self._store) and self._wait_for_room(max(0.0, seconds_left())):
            with self._lock:
                self._decider.decide(self._store.take_oldest(_TRACES_PER_TURN), SHUTDOWN)
                self._count_waiting()

    def discard(self) -> None:
        """Lose, undecided, all traces that wait."""
        with self._lock:
            self._decider.discard(self._store.take_oldest(max(1, len(self._store))))
            self._count_waiting()

    @property
    def waits(self) -> bool:
        """Whether any trace waits for its decision."""
        return len(self._store) > 0

    def memory(self) -> int:
        """Return about how much memory the waiting traces take; bytes. May be called from any thread."""
        return self._early.memory()

    def snapshot(self) -> Snapshot:
        """Return all counts as they are between two requests or decisions, so that they add up. May be called from any thread."""
        with self._lock:
            return self._telemetry.snapshot()

    def decide_oldest(self, is_short: Callable[[], bool]) -> None:
        """Decide the oldest traces early, as long as `is_short` says that memory is short, and there is room for them."""
        while len(self._store) and is_short() and self._wait_for_room(0):
            with self._lock:
                self._early.decide_oldest()
                self._count_waiting()

    def show(self, unwanted: float, early: float) -> None:
        """Tell the witness of such shares of what nobody else sees: traces that no rule wants, and that roots decide early."""
        with self._lock:
            self._store.show(_BASIS, *(min(int(share * _HASHES), _HASHES - 1) for share in (unwanted, early)))

    def undisturbed(self, act: Callable[[], T]) -> T:
        """Call `act` while nothing is taken in or decided, and return what it returns."""
        with self._lock:
            return act()

    def _turn(self) -> bool:
        with self._lock:
            now = self._clock()
            taken = self._take_due(now)
            is_any = bool(taken.traces or taken.unwanted or taken.dropped)
            self._decider.decide(taken.traces)
            if is_any:
                self._telemetry.decision_timer_latency.observe(self._clock() - now)
            self._count_waiting()
            if not len(self._store):
                self.decided_until = now
            elif not is_any:
                self.decided_until = max(self.decided_until, now - self._store.wait - self._store.tick)
        return is_any

    def _take_due(self, now: float) -> Taken:
        """Take traces that are due, and count those that nobody wants to look at, which the store drops."""
        wanted = self._wishes.now()
        if wanted is None:
            return Taken(self._store.take_due(now, _TRACES_PER_TURN))
        taken = self._store.take_wanted(now, _TRACES_PER_TURN, wanted)
        if taken.unwanted or taken.dropped:
            self._decider.unwanted(taken, now)
            self._decider.show([*((NOT_SAMPLED, trace) for trace in taken.shown), *taken.shown_dropped], DUE)
            if self._rules.reads > Reads.NOTHING:
                self._stages.unwanted(taken.unwanted_calls)
        return taken

    def _count_waiting(self) -> None:
        self._telemetry.waiting_traces = len(self._store)
        self._telemetry.waiting_spans = self._store.spans
        self._telemetry.waiting_bytes = self._store.size
