"""Decides over log records: as was decided over their trace, or by the settings where nobody knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milvus_otel_processor.logs.held import HeldRecords
from milvus_otel_processor.logs.settings import KEEP

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from milvus_otel_processor.logs.held import Held
    from milvus_otel_processor.logs.records import Cut, Record
    from milvus_otel_processor.logs.settings import LogSamplingSettings, Undecided
    from milvus_otel_processor.spans.fates import Fates
    from milvus_otel_processor.telemetry.log_records import LogTelemetry

PAUSE = 0.5
"""Seconds from one question about a trace to the next."""
TRACE, WITHOUT_TRACE_ID, UNKNOWN_TRACE, MAX_SIZE, SHUTDOWN = (
    "trace",
    "without_trace_id",
    "unknown_trace",
    "max_size_mib",
    "shutdown",
)
"""What a decision was made by: the trace's own decision, a setting, a limit, the end."""


class LogSampler:
    """Holds records until their trace is decided; `put` is given those that go on. Calls are serialized by the caller.

    `fates` is asked about traces, `wait` tells how long these wait at the most; seconds. `own` is the trace id of the
    processor's own requests to Milvus: they are never sampled, and no span of them comes.
    """

    def __init__(
        self,
        settings: LogSamplingSettings,
        *,
        fates: Fates,
        wait: Callable[[], float],
        put: Callable[[Sequence[Record]], None],
        telemetry: LogTelemetry,
        own: bytes | None = None,
    ) -> None:
        self._settings = settings
        self._own = own
        self._fates = fates
        self._wait = wait
        self._put = put
        self._telemetry = telemetry
        self._most = settings.max_size_mib << 20
        self.held = HeldRecords(PAUSE)

    def take(self, cut: Cut, now: float) -> None:
        """Take in the records of a request: those decide at once over which can be decided."""
        for trace_id, records in cut.by_trace.items():
            sampled = False if trace_id == self._own else self._fates.sampled(trace_id)
            if sampled is None:
                self.held.add(trace_id, records, now)
            else:
                self._decide(records, TRACE, sampled=sampled)
        if cut.without_trace_id:
            self._by_setting(cut.without_trace_id, WITHOUT_TRACE_ID, self._settings.without_trace_id)
        while self.held.size > self._most:
            self._take_leave(self.held.oldest(), MAX_SIZE)

    def tick(self, now: float) -> None:
        """Decide over records whose trace is decided, and over those that have waited as long as they may."""
        until = now - self._wait() - self._settings.additional_wait
        for trace_id, held in self.held.turns(now):
            self._ask(trace_id, held, until)

    def drain(self) -> None:
        """Decide over all records that wait."""
        while len(self.held):
            self._take_leave(self.held.oldest(), SHUTDOWN)

    def _ask(self, trace_id: bytes, held: Held, until: float) -> None:
        sampled = self._fates.sampled(trace_id)
        if sampled is not None:
            self._decide(self.held.take(trace_id), TRACE, sampled=sampled)
        elif trace_id in self._fates:
            held.was_unknown = False
        elif not held.was_unknown:
            # While a trace is being decided it does not wait any more, and nothing is remembered yet.
            held.was_unknown = True
        elif held.arrivals[0][0] <= until:
            records = self.held.take_older(trace_id, until)
            self._by_setting(records, UNKNOWN_TRACE, self._settings.unknown_trace)

    def _take_leave(self, trace_id: bytes, reason: str) -> None:
        """Decide over the records of a trace that cannot wait any longer."""
        sampled = self._fates.sampled(trace_id)
        records = self.held.take(trace_id)
        if sampled is not None:
            self._decide(records, TRACE, sampled=sampled)
        else:
            self._by_setting(records, reason, self._settings.unknown_trace)

    def _by_setting(self, records: Sequence[Record], reason: str, setting: Undecided) -> None:
        self._decide(records, reason, sampled=setting == KEEP)

    def _decide(self, records: Sequence[Record], reason: str, *, sampled: bool) -> None:
        self._telemetry.decided(reason, len(records), sampled=sampled)
        if sampled:
            self._put(records)
