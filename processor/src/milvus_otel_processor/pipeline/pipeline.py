"""The way of a span: in from the receiver, held until its trace is due, enriched, decided, out to the exporter."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from milvus_otel_processor.pipeline.limits import MAX_MEMORY, MEMORY_LIMIT, NUM_TRACES, SETTLED, TRACE_SIZE, memory
from milvus_otel_processor.spans.groups import GroupRegistry
from milvus_otel_processor.spans.schema import DecodeError
from milvus_otel_processor.spans.span import (
    NO_TRACE_ID,
    PARENT_THIRD,
    SPAN_ID_SECOND,
    TRACE_ID_FIRST,
    ZEROS,
    root_name,
    trace_id,
)
from milvus_otel_processor.spans.store import trace_of
from milvus_otel_processor.telemetry.counters import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from milvus_otel_processor.pipeline.decider import Decider
    from milvus_otel_processor.pipeline.limits import Limits
    from milvus_otel_processor.sampling.sampler import Sampler
    from milvus_otel_processor.sampling.settings import DecisionCacheSettings
    from milvus_otel_processor.spans.groups import Group
    from milvus_otel_processor.spans.store import Buffer, Entry
    from milvus_otel_processor.spans.trace import Trace
    from milvus_otel_processor.telemetry.counters import Telemetry

    Parts = list[tuple[Group, list[bytes]]]

_TRACES_PER_TURN = 64  # decided before the lock is given back, so that a request never waits long for it


class Pipeline:
    """Takes requests in, holds their spans by trace, and hands each trace on when it is due.

    One lock guards all of it, decisions included: Python runs one thread at a time anyway, and so no span can slip in between
    the end of its trace's wait and the decision over it. Threads that bring requests and the one that ticks may call at once.
    """

    def __init__(
        self,
        *,
        buffer: Buffer,
        limits: Limits,
        wait_after_root: float,
        wait_after_complete: float,
        decider: Decider,
        telemetry: Telemetry,
        clock: Callable[[], float],
        wait_for_room: Callable[[float], bool] = lambda _: True,
    ) -> None:
        self._buffer = buffer
        self._wait_for_room = wait_for_room
        self._limits = limits
        self._wait_after_root = wait_after_root
        self._wait_after_complete = wait_after_complete
        self._decider = decider
        self._telemetry = telemetry
        self._clock = clock
        self._groups = GroupRegistry()
        self._watches_roots = self._must_watch_roots()
        self._lock = Lock()

    def replace_rules(
        self,
        sampler: Sampler,
        cache_settings: DecisionCacheSettings,
        *,
        limits: Limits,
        wait: float,
        wait_after_root: float,
        wait_after_complete: float,
    ) -> None:
        """Decide by other rules from now on, the traces that wait as well; none of them is lost, none waits longer than `wait`."""
        with self._lock:
            self._decider.replace_sampler(sampler, cache_settings, self._buffer.entries)
            self._buffer.change_wait(wait, self._clock())
            self._limits = limits
            self._wait_after_root = wait_after_root
            self._wait_after_complete = wait_after_complete
            self._watches_roots = self._must_watch_roots()

    def ingest(self, request: bytes) -> int:
        """Take in a serialized ExportTraceServiceRequest and return how many of its spans were refused.

        Raises DecodeError where it is not valid protobuf, and has then taken nothing in. When more waits than may, the caller's
        thread decides the oldest traces, so that input slows down to the pace of the decisions.
        """
        parts = self._groups.split(request)
        self._decider.observe(request)
        with self._lock:
            now = self._clock()
            self._telemetry.received_requests += 1
            refused = self._add(parts, now)
            self._keep_limits(parts)
            self._count_waiting()
        return refused

    def _must_watch_roots(self) -> bool:
        return self._wait_after_root > 0 or self._wait_after_complete > 0 or self._decider.seals

    def _keep_limits(self, parts: Parts) -> None:
        if self._decider.samples_early:
            self._decide_early(SETTLED, self._settled(parts))
        if self._limits.bounds_trace_size:
            self._decide_early(TRACE_SIZE, self._too_large(parts))
        # Where what is kept would find no room, more waits than may, up to the memory that there is for all.
        excess = len(self._buffer) - self._limits.traces
        if excess > 0 and self._wait_for_room(0):
            self._decide_early(NUM_TRACES, self._buffer.take_oldest(excess))
        while self._buffer.entries and self._memory() > self._limits.memory and self._wait_for_room(0):
            self._decide_early(MAX_MEMORY, self._buffer.take_oldest(_TRACES_PER_TURN))

    def _decide_early(self, limit: str, traces: list[Trace]) -> None:
        if traces:
            self._telemetry.early_decisions[limit] += len(traces)
            self._decider.decide(traces)

    def _too_large(self, parts: Parts) -> list[Trace]:
        """Remove and return the traces that these spans have made too large."""
        entries = self._buffer.entries
        large = [id_ for id_ in self._touched(parts) if sum(map(len, entries[id_][1::2])) > self._limits.trace_size]
        return [self._buffer.take(id_) for id_ in large]

    def _settled(self, parts: Parts) -> list[Trace]:
        """Remove and return the traces that these spans have settled: they are sampled, whatever else arrives."""
        entries, settled = self._buffer.entries, self._decider.sampled_for_good
        return [self._buffer.take(id_) for id_ in self._touched(parts) if settled(trace_of(id_, entries[id_]))]

    def _touched(self, parts: Parts) -> list[bytes]:
        """Return the ids of the traces that wait and have one of these spans, in the order of their first."""
        entries = self._buffer.entries
        return [id_ for id_ in dict.fromkeys(_id(span) for _, spans in parts for span in spans) if id_ in entries]

    def memory(self) -> int:
        """Return about how much memory the waiting traces take; bytes. May be called from any thread."""
        return self._memory()

    def decide_oldest(self, is_short: Callable[[], bool]) -> None:
        """Decide the oldest traces early, as long as `is_short` says that memory is short, and there is room for them."""
        while self._buffer.entries and is_short() and self._wait_for_room(0):
            with self._lock:
                self._decide_early(MEMORY_LIMIT, self._buffer.take_oldest(_TRACES_PER_TURN))
                self._count_waiting()

    def _memory(self) -> int:
        return memory(len(self._buffer), self._telemetry.waiting_spans, self._telemetry.waiting_bytes)

    def tick(self) -> None:
        """Decide all traces that are due, as far as there is room for what is kept; the next call goes on from there."""
        # What waits for room holds no lock: requests still come in, and a trace that waits longer only grows more complete.
        while self._wait_for_room(self._buffer.tick) and self._turn():
            pass

    def drain(self, seconds_left: Callable[[], float] = lambda: 0.0) -> None:
        """Decide all traces that wait, due or not, as far as there is room for what is kept, or will be in `seconds_left()`."""
        while self._buffer.entries and self._wait_for_room(max(0.0, seconds_left())):
            with self._lock:
                self._decider.decide(self._buffer.take_oldest(_TRACES_PER_TURN))
                self._count_waiting()

    def discard(self) -> None:
        """Lose, undecided, all traces that wait."""
        with self._lock:
            self._decider.discard(self._buffer.take_oldest(max(1, len(self._buffer))))
            self._count_waiting()

    def _turn(self) -> bool:
        with self._lock:
            now = self._clock()
            traces = self._buffer.take_due(now, _TRACES_PER_TURN)
            traces += self._buffer.take_finished(now, self._wait_after_complete, _TRACES_PER_TURN)
            self._decider.decide(traces)
            self._count_waiting()
        return bool(traces)

    def _count_waiting(self) -> None:
        self._telemetry.waiting_traces = len(self._buffer)

    def _add(self, parts: Parts, now: float) -> int:
        entries, watches_roots = self._buffer.entries, self._watches_roots
        arrivals = self._buffer.arrivals(now)
        decided, follow, sealed = self._decider.decided, self._decider.follow, self._sealed
        telemetry, quiet = self._telemetry, self._wait_after_complete
        refused = 0
        for group, spans in parts:
            count, size = len(spans), sum(map(len, spans))
            telemetry.received_spans += count
            for span in spans:
                id_ = span[2:18] if span[:2] == TRACE_ID_FIRST else _id(span)
                entry = entries.get(id_)
                # `surely_has_parent`, written out: as a call it takes half as long again, for every span.
                maybe_root = watches_roots and not (
                    span[28:30] == PARENT_THIRD and span[18:20] == SPAN_ID_SECOND and span[30:38] != ZEROS
                )
                if entry is not None:
                    if not maybe_root or not sealed(id_, span, entry, now):
                        entry.append(group)
                        entry.append(span)
                        continue
                elif (decision := decided(id_)) is not None:
                    follow(decision, group, span)
                elif len(id_) != len(NO_TRACE_ID) or id_ == NO_TRACE_ID:
                    refused += 1
                elif not maybe_root or not sealed(id_, span, None, now):
                    entries[id_] = [group, span]
                    arrivals.append(id_)
                    if quiet:
                        self._buffer.watch(id_, 1, now, quiet)
                    continue
                count -= 1
                size -= len(span)
            telemetry.waiting_spans += count
            telemetry.waiting_bytes += size
        if refused:
            telemetry.refused_spans[Refused.INVALID_TRACE_ID] += refused
        return refused

    def _sealed(self, id_: bytes, span: bytes, entry: Entry | None, now: float) -> bool:
        """Tell whether this span is a root that settles the decision; its trace is then decided and gone."""
        name = root_name(span)
        if name is None:
            return False
        waiting = len(entry) // 2 if entry is not None else 0
        if self._decider.seal(id_, name, waiting + 1):
            if entry is not None:
                del self._buffer.entries[id_]
                self._telemetry.waiting_spans -= waiting
                self._telemetry.waiting_bytes -= sum(map(len, entry[1::2]))
            return True
        if self._wait_after_root:
            self._buffer.hurry(id_, now + self._wait_after_root)
        if self._wait_after_complete:
            self._buffer.watch(id_, waiting + 1, now, self._wait_after_complete)
        return False


def _id(span: bytes) -> bytes:
    if span[:2] == TRACE_ID_FIRST:
        return span[2:18]
    try:
        return trace_id(span)
    except DecodeError:
        return b""
