"""Requests that survive the end of the process: written down before they are taken, taken in again after a restart."""

from __future__ import annotations

import logging
from threading import Event, Thread
from typing import TYPE_CHECKING

from milvus_otel_processor.receiver.exports import RefusedForNowError
from milvus_otel_processor.spans.schema import DecodeError
from milvus_otel_processor.telemetry.counters import Refused

if TYPE_CHECKING:
    from milvus_otel_processor.exporter.exporter import OtlpExporter
    from milvus_otel_processor.memory.limiter import MemoryLimiter
    from milvus_otel_processor.pipeline.pipeline import Pipeline
    from milvus_otel_processor.storage.sent import SentSpans
    from milvus_otel_processor.storage.storage import Storage
    from milvus_otel_processor.telemetry.counters import Telemetry

_log = logging.getLogger(__name__)

_SECONDS_BETWEEN_LOOKS = 0.25
_SECONDS_BETWEEN_TRIES = 0.05


class Durable:
    """The pipeline with a storage around it.

    Until all that an earlier process left is taken in again, requests are refused for now: what was acknowledged comes first.
    """

    def __init__(
        self,
        storage: Storage,
        pipeline: Pipeline,
        exporter: OtlpExporter,
        telemetry: Telemetry,
        limiter: MemoryLimiter,
    ) -> None:
        self._storage = storage
        self._pipeline = pipeline
        self._exporter = exporter
        self._telemetry = telemetry
        self._limiter = limiter
        self._recovered = Event()
        if not storage.journal.has_left:
            self._recovered.set()
        self._stopping = Event()
        self._threads = [
            Thread(target=self._recover, name="recovery", daemon=True),
            Thread(target=self._look_after, name="storage", daemon=True),
        ]

    def start(self) -> None:
        """Take in what an earlier process left, and from now on forget what is not needed any longer."""
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float) -> None:
        """Stop recovering."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout)

    def settle(self) -> None:
        """Forget what is not needed any longer: nothing is taken in or decided any more."""
        self._forget(everything_is_decided=not self._pipeline.waits)

    def close(self) -> None:
        """Leave what is left to the next process, and let it have the folder."""
        self._storage.close()

    def ingest(self, request: bytes) -> int:
        """Write a request down, take it in, and return how many of its spans were refused."""
        return self._storage.journal.take(request, self._pipeline.ingest)

    def obstacle(self) -> RefusedForNowError | None:
        """Return why nothing can be taken now, None where it can."""
        if not self._recovered.is_set():
            return RefusedForNowError(Refused.RECOVERING, "what was acknowledged before a restart is taken in first")
        return self._storage.journal.obstacle()

    @property
    def works(self) -> bool:
        """Whether requests can be written down."""
        return self._recovered.is_set() and self._storage.journal.works

    def _recover(self) -> None:
        spans = requests = 0
        sent = self._storage.sent.recovered()
        try:
            for request in self._storage.journal.recovered():
                while not self._limiter.reserve(len(request)):
                    if self._stopping.wait(_SECONDS_BETWEEN_TRIES):
                        return
                try:
                    spans += self._take_again(request, sent)
                    requests += 1
                finally:
                    self._limiter.release(len(request))
        except Exception:  # noqa: BLE001 - what is left stays on disk; to take nothing at all would be worse
            _log.exception("recovering failed, what is left stays on disk for the next start")
        if requests:
            _log.info(
                "recovered what an earlier process had acknowledged", extra={"requests": requests, "spans": spans}
            )
        self._recovered.set()

    def _take_again(self, request: bytes, sent: SentSpans) -> int:
        before = self._telemetry.received_spans  # nobody else takes anything in until all is recovered
        try:
            if sent:
                request, out = sent.taken_out_of(request)
                self._telemetry.recovered_sent_spans += out
            self._pipeline.ingest(request)
        except DecodeError:  # it was refused when it came, too
            return 0
        spans = self._telemetry.received_spans - before
        self._telemetry.recovered_spans += spans
        return spans

    def _look_after(self) -> None:
        while not self._stopping.wait(_SECONDS_BETWEEN_LOOKS):
            try:
                self._exporter.write_down()
                self._storage.counted.gather()
                self._forget()
            except Exception:  # noqa: BLE001 - a fault in one look must not end all later ones
                _log.exception("looking after the storage failed, going on")

    def _forget(self, *, everything_is_decided: bool = False) -> None:
        until = float("inf") if everything_is_decided else self._pipeline.decided_until
        self._storage.forget(until, self._exporter.position, self._exporter.is_out)
