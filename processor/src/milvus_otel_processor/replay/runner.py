"""Runs recorded requests through the processor's own steps, on the recording's clock."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, NamedTuple

from milvus_otel_processor.replay.clock import arrivals
from milvus_otel_processor.replay.kept import KeptSpans
from milvus_otel_processor.replay.recording import RecordingError
from milvus_otel_processor.sampling.policies import Clock
from milvus_otel_processor.service.assemble import assemble
from milvus_otel_processor.spans.schema import DecodeError
from milvus_otel_processor.telemetry.counters import Telemetry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from milvus_otel_processor.replay.recording import Message
    from milvus_otel_processor.service.assemble import Processors
    from milvus_otel_processor.telemetry.counters import Snapshot

_NANOSECONDS = 1e9


class Outcome(NamedTuple):
    """What came of a replay."""

    counted: Snapshot
    seconds: float
    """From the first request to the last."""


def replay(recordings: Iterable[Iterable[Message]], config: Processors, out: IO[bytes] | None = None) -> Outcome:
    """Run the requests of all recordings through the processors, write what is kept to `out`, and return what was counted.

    It is as if the processor had been running then, with three differences: nothing is asked of Milvus, which knows its
    collections of today only; the exporter never fails; and at the end time goes on until every trace is due.

    Raises RecordingError at a message that is none, and OSError where `out` cannot be written.
    """
    run = _Run(config, out)
    for time_ns, message in arrivals(recordings):
        run.advance_to(time_ns)
        run.ingest(message)
    return run.finish()


class _Run:
    def __init__(self, config: Processors, out: IO[bytes] | None) -> None:
        self._telemetry = Telemetry()
        self._kept = KeptSpans(self._telemetry, out)
        self._start_ns = 0
        self._now = 0.0  # seconds after that
        self._clock = Clock(lambda: self._now, lambda: self._start_ns + int(self._now * _NANOSECONDS))
        self._pipeline, self._store, _, enrichment, _ = assemble(
            config, exporter=self._kept, telemetry=self._telemetry, clock=self._clock
        )
        # Enrichment is never started, so that Milvus is not asked.
        self._access_log = enrichment.access_log if enrichment is not None else None

    def advance_to(self, time_ns: int) -> None:
        """Let the time go on to this one, nanoseconds since 1970."""
        if not self._start_ns:
            self._start_ns = time_ns
        self.advance((time_ns - self._start_ns) / _NANOSECONDS)

    def advance(self, until: float) -> None:
        """Let the time go on to `until`, in the steps of a running processor, as long as there is something to decide."""
        while self._telemetry.waiting_traces and self._now + self._store.tick < until:
            self._now += self._store.tick
            self._pipeline.tick()
        self._now = max(self._now, until)
        self._pipeline.tick()

    def ingest(self, message: Message) -> None:
        try:
            if not message.is_access_log:
                self._pipeline.ingest(message.request)
            elif self._access_log is not None:
                self._access_log.ingest(message.request)
        except DecodeError as error:
            raise RecordingError(f"{message.place}: not an ExportTraceServiceRequest: {error}") from None

    def finish(self) -> Outcome:
        seconds = self._now
        self.advance(self._now + self._store.wait + 2 * self._store.tick)
        self._pipeline.drain()
        self._kept.flush()
        return Outcome(self._telemetry.snapshot(), seconds)
