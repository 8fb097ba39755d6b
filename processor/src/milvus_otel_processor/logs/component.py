"""The pipeline for logs: requests in, records held and decided over, those that go on out to an exporter of their own."""

from __future__ import annotations

import logging
from threading import Event, Lock, Thread
from time import monotonic
from typing import TYPE_CHECKING

from milvus_otel_processor.logs.records import Cutter
from milvus_otel_processor.logs.sampler import PAUSE, LogSampler
from milvus_otel_processor.receiver.exports import RefusedForNowError
from milvus_otel_processor.spans.groups import join
from milvus_otel_processor.telemetry.reasons import Lost, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from milvus_otel_processor.exporter.exporter import OtlpExporter
    from milvus_otel_processor.logs.outlet import LogOutlet
    from milvus_otel_processor.logs.settings import LogSamplingSettings
    from milvus_otel_processor.spans.fates import Fates
    from milvus_otel_processor.telemetry.log_records import LogTelemetry

_log = logging.getLogger(__name__)


class Logs:
    """Takes in log records from `start` to `stop`; nothing of it waits for the pipeline for traces, nor that for it.

    `take_lines` is given a serialized request with the lines of Milvus' access log, whatever becomes of them as records; None
    where nobody reads them. `own` is as for `LogSampler`.
    """

    def __init__(
        self,
        settings: LogSamplingSettings,
        *,
        fates: Fates,
        wait: Callable[[], float],
        exporter: OtlpExporter,
        outlet: LogOutlet,
        telemetry: LogTelemetry,
        clock: Callable[[], float],
        take_lines: Callable[[bytes], object] | None = None,
        own: bytes | None = None,
    ) -> None:
        self._clock = clock
        self._exporter = exporter
        self._telemetry = telemetry
        self._take_lines = take_lines
        self._most_queued = settings.max_size_mib << 20
        self._cutter = Cutter()
        self._sampler = LogSampler(settings, fates=fates, wait=wait, put=outlet.put, telemetry=telemetry, own=own)
        self._lock = Lock()
        self._stopping = Event()
        self._ticker = Thread(target=self._tick, name="logs", daemon=True)
        telemetry.watch_waiting(lambda: (self._sampler.held.records, self._sampler.held.size), exporter.memory)

    def ingest(self, request: bytes) -> None:
        """Take in a serialized ExportLogsServiceRequest.

        Raises DecodeError where it is not valid protobuf, and RefusedForNowError where too much waits to be sent; nothing was taken
        in then. Lines of the access log are never refused: enrichment has to have them now. They are read, and as records they are
        lost, and counted, with all that came with them.
        """
        with self._lock:
            cut = self._cutter.cut(request)
        has_room = self._has_room()
        if not has_room and not cut.lines:
            raise RefusedForNowError(Refused.LOGS_QUEUE_FULL, "too many log records wait to be sent")
        if cut.lines and self._take_lines is not None:
            self._take_lines(join(cut.lines))
        self._telemetry.received(cut.records)
        if cut.malformed:
            self._telemetry.lost(Lost.MALFORMED, cut.malformed, queued=False)
        if has_room:
            with self._lock:
                self._sampler.take(cut, self._clock())
        else:
            self._telemetry.lost(Lost.QUEUE_FULL, cut.records - cut.malformed, queued=False)

    def memory(self) -> int:
        """Return about how much memory the records take that wait, for their trace or to be sent; bytes."""
        return self._sampler.held.size + self._cutter.size + self._exporter.memory()

    def start(self) -> None:
        """Decide and send from now on."""
        self._exporter.start()
        self._ticker.start()

    def tick(self) -> None:
        """Decide over the records whose time has come, if there is room for those that go on."""
        if self._has_room():
            with self._lock:
                self._sampler.tick(self._clock())

    def stop(self, grace: float) -> None:
        """Decide over all that wait and send what goes on, within `grace` seconds; what is left then is lost, and counted."""
        deadline = monotonic() + grace
        self._stopping.set()
        if self._ticker.is_alive():
            self._ticker.join(max(0.0, deadline - monotonic()))
        with self._lock:
            self._sampler.drain()
        self._exporter.stop(max(0.0, deadline - monotonic()))

    def _has_room(self) -> bool:
        return self._exporter.memory() < self._most_queued and self._exporter.wait_for_room(0)

    def _tick(self) -> None:
        while not self._stopping.wait(PAUSE):
            try:
                self.tick()
            except Exception:  # noqa: BLE001 - a fault in one turn must not end all later ones
                _log.exception("deciding over log records failed, going on")
