"""The way of a span: in from the receiver, held until its trace is due, enriched, decided, out to the exporter."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from milvus_otel_processor.otlp.envelope import GroupRegistry
from milvus_otel_processor.otlp.schema import DecodeError
from milvus_otel_processor.otlp.span import (
    PARENT_THIRD,
    SPAN_ID_SECOND,
    TRACE_ID_FIRST,
    is_valid_trace_id,
    root_name,
    trace_id,
)
from milvus_otel_processor.telemetry import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from milvus_otel_processor.buffer import Buffer, Entry
    from milvus_otel_processor.decider import Decider
    from milvus_otel_processor.otlp.envelope import Group
    from milvus_otel_processor.telemetry import Telemetry

    Parts = list[tuple[Group, list[bytes]]]

_TRACES_PER_TURN = 64  # decided before the lock is given back, so that a request never waits long for it
_ZEROS = bytes(8)
_NOTHING: Entry = []
EVICTED = "num_traces"
"""Why a trace was decided before its time: there were more than `num_traces`."""


class Pipeline:
    """Takes requests in, holds their spans by trace, and hands each trace on when it is due.

    One lock guards all of it, decisions included: Python runs one thread at a time anyway, and so no span can slip in between
    the end of its trace's wait and the decision over it. Threads that bring requests and the one that ticks may call at once.
    """

    def __init__(
        self,
        *,
        buffer: Buffer,
        num_traces: int,
        wait_after_root: float,
        decider: Decider,
        telemetry: Telemetry,
        clock: Callable[[], float],
    ) -> None:
        self._buffer = buffer
        self._num_traces = num_traces
        self._wait_after_root = wait_after_root
        self._decider = decider
        self._telemetry = telemetry
        self._clock = clock
        self._groups = GroupRegistry()
        self._watches_roots = wait_after_root > 0 or decider.seals
        self._lock = Lock()

    def ingest(self, request: bytes) -> int:
        """Take in a serialized ExportTraceServiceRequest and return how many of its spans were refused.

        Raises DecodeError where it is not valid protobuf, and has then taken nothing in. When more than `num_traces` wait, the
        caller's thread decides the oldest, so that input slows down to the pace of the decisions.
        """
        parts = self._groups.split(request)
        with self._lock:
            now = self._clock()
            self._telemetry.received_requests += 1
            refused = self._add(parts, now)
            excess = len(self._buffer) - self._num_traces
            if excess > 0:
                self._telemetry.early_decisions[EVICTED] += excess
                self._decider.decide(self._buffer.take_oldest(excess))
            self._count_waiting()
        return refused

    def tick(self) -> None:
        """Decide all traces that are due."""
        while self._turn():
            pass

    def drain(self) -> None:
        """Decide all traces that wait, due or not."""
        with self._lock:
            while traces := self._buffer.take_oldest(_TRACES_PER_TURN):
                self._decider.decide(traces)
            self._count_waiting()

    def discard(self) -> int:
        """Forget, undecided, all traces that wait, and return how many spans those were."""
        with self._lock:
            spans = sum(len(trace.spans) for trace in self._buffer.take_oldest(len(self._buffer)))
            self._telemetry.waiting_spans = self._telemetry.waiting_bytes = 0
            self._count_waiting()
        return spans

    def _turn(self) -> bool:
        with self._lock:
            traces = self._buffer.take_due(self._clock(), _TRACES_PER_TURN)
            self._decider.decide(traces)
            self._count_waiting()
        return bool(traces)

    def _count_waiting(self) -> None:
        self._telemetry.waiting_traces = len(self._buffer)

    def _add(self, parts: Parts, now: float) -> int:
        entries, watches_roots = self._buffer.entries, self._watches_roots
        arrivals = self._buffer.arrivals(now)
        follow, sealed = self._decider.follow, self._sealed
        telemetry = self._telemetry
        refused = 0
        for group, spans in parts:
            count, size = len(spans), sum(map(len, spans))
            telemetry.received_spans += count
            for span in spans:
                id_ = span[2:18] if span[:2] == TRACE_ID_FIRST else _trace_id(span)
                entry = entries.get(id_)
                if entry is None:
                    if not is_valid_trace_id(id_):
                        refused += 1
                    elif follow(id_, group, span) or (watches_roots and sealed(id_, span, now)):
                        pass  # its trace is decided, or is so by this span
                    else:
                        entries[id_] = [group, span]
                        arrivals.append(id_)
                        continue
                elif (
                    watches_roots
                    and not (span[28:30] == PARENT_THIRD and span[18:20] == SPAN_ID_SECOND and span[30:38] != _ZEROS)
                    and sealed(id_, span, now)
                ):
                    pass
                else:
                    entry.append(group)
                    entry.append(span)
                    continue
                count -= 1
                size -= len(span)
            telemetry.waiting_spans += count
            telemetry.waiting_bytes += size
        if refused:
            telemetry.refused_spans[Refused.INVALID_TRACE_ID] += refused
        return refused

    def _sealed(self, id_: bytes, span: bytes, now: float) -> bool:
        """Tell whether this span is a root that settles the decision; its trace is then decided and gone."""
        name = root_name(span)
        if name is None:
            return False
        waiting = self._buffer.entries.get(id_, _NOTHING)
        if self._decider.seal(id_, name, len(waiting) // 2 + 1):
            if waiting:
                del self._buffer.entries[id_]
                self._telemetry.waiting_spans -= len(waiting) // 2
                self._telemetry.waiting_bytes -= sum(map(len, waiting[1::2]))
            return True
        if self._wait_after_root:
            self._buffer.hurry(id_, now + self._wait_after_root)
        return False


def _trace_id(span: bytes) -> bytes:
    try:
        return trace_id(span)
    except DecodeError:
        return b""
