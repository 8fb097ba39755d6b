"""Runs recorded requests through the processor's own steps, on the recording's clock."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, NamedTuple

from milvus_otel_processor.replay.clock import arrivals
from milvus_otel_processor.replay.kept import KeptSpans
from milvus_otel_processor.replay.recording import RecordingError
from milvus_otel_processor.replay.watch import WatchedRules
from milvus_otel_processor.sampling.policies import Clock
from milvus_otel_processor.sampling.rules import Rules
from milvus_otel_processor.service.assemble import assemble
from milvus_otel_processor.spans.schema import DecodeError
from milvus_otel_processor.telemetry.counters import Telemetry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from milvus_otel_processor.replay.recording import Message
    from milvus_otel_processor.service.assemble import MakeRules, Processors
    from milvus_otel_processor.spans.stores import StoreKind
    from milvus_otel_processor.telemetry.counters import Snapshot

_NANOSECONDS = 1e9


class Outcome(NamedTuple):
    """What came of a replay."""

    counted: Snapshot
    seconds: float
    """From the first request to the last."""
    kept_bytes: int
    """Of the spans that were kept, with what was appended."""


def replay(recordings: Iterable[Iterable[Message]], config: Processors, out: IO[bytes] | None = None) -> Outcome:
    """Run the requests of all recordings through the processors, write what is kept to `out`, and return what was counted.

    It is as if the processor had been running then, with three differences: nothing is asked of Milvus, which knows its
    collections of today only; the exporter never fails; and at the end time goes on until every trace is due.

    Raises RecordingError at a message that is none, and OSError where `out` cannot be written.
    """
    return Run(config, out).play(recordings)


def replay_together(runs: Sequence[Run], recordings: Iterable[Iterable[Message]]) -> list[Outcome]:
    """Run the requests of all recordings, which are read once, through several runs, and return what was counted by each.

    Raises RecordingError at a message that is none, and OSError where what is kept cannot be written.
    """
    for time_ns, message in arrivals(recordings):
        for run in runs:
            run.advance_to(time_ns)
            run.ingest(message)
    return [run.finish() for run in runs]


class Run:
    """One replay; `rules` is what makes its rules, and once it is made the rules themselves.

    `store_kind` is what holds the spans.
    """

    def __init__(
        self,
        config: Processors,
        out: IO[bytes] | None = None,
        rules: MakeRules = Rules,
        store_kind: StoreKind = "auto",
    ) -> None:
        self._telemetry = Telemetry()
        self._kept = KeptSpans(self._telemetry, out)
        self._start_ns = 0
        self._now = 0.0  # seconds after that
        self._is_over: Callable[[], bool] = lambda: False
        self._clock = Clock(lambda: self._now, lambda: self._start_ns + int(self._now * _NANOSECONDS))
        assembled = assemble(
            config,
            exporter=self._kept,
            telemetry=self._telemetry,
            clock=self._clock,
            make_rules=rules,
            store_kind=store_kind,
            counts_requests=False,
        )
        self._pipeline, self._store, self.rules = assembled.pipeline, assembled.store, assembled.rules
        self._watched = self.rules if isinstance(self.rules, WatchedRules) else None
        if self._watched is not None:
            self._kept.watch = self._watched.put
        # Enrichment is never started, so that Milvus is not asked.
        self._access_log = assembled.enrichment.access_log if assembled.enrichment is not None else None

    def play(self, recordings: Iterable[Iterable[Message]], until: Callable[[], bool] = lambda: False) -> Outcome:
        """Run the requests of all recordings, or go on until `until` is true, and return what was counted up to then.

        Raises RecordingError at a message that is none, and OSError where what is kept cannot be written.
        """
        self._is_over = until
        for time_ns, message in arrivals(recordings):
            self.advance_to(time_ns)
            if until():
                break
            self.ingest(message)
        return self.finish()

    def advance_to(self, time_ns: int) -> None:
        """Let the time go on to this one, nanoseconds since 1970."""
        if not self._start_ns:
            self._start_ns = time_ns
        self.advance((time_ns - self._start_ns) / _NANOSECONDS)

    def advance(self, until: float) -> None:
        """Let the time go on to `until`, in the steps of a running processor, as long as there is something to decide."""
        while self._telemetry.waiting_traces and self._now + self._store.tick < until and not self._is_over():
            self._now += self._store.tick
            self._pipeline.tick()
        self._now = max(self._now, until)
        if not self._is_over():
            self._pipeline.tick()

    def ingest(self, message: Message) -> None:
        """Take a request in. Raises RecordingError where it is none."""
        try:
            if not message.is_access_log:
                self._take_in(message.request)
            elif self._access_log is not None:
                self._access_log.ingest(message.request)
        except DecodeError as error:
            raise RecordingError(f"{message.place}: not an ExportTraceServiceRequest: {error}") from None

    def _take_in(self, request: bytes) -> None:
        if self._watched is not None:
            self._watched.before(request)
        self._pipeline.ingest(request)
        if self._watched is not None:
            self._watched.after(self._store)

    def finish(self) -> Outcome:
        """Let the time go on until everything is decided, and return what was counted."""
        seconds = self._now
        self.advance(self._now + self._store.wait + 2 * self._store.tick)
        if not self._is_over():
            self._pipeline.drain()
        self._kept.flush()
        if self._watched is not None:
            self._watched.finish()
        return Outcome(self._telemetry.snapshot(), seconds, self._kept.bytes)
