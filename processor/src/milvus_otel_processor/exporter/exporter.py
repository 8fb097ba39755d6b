"""Sends kept spans on, and says what becomes of them."""

from __future__ import annotations

import logging
from random import random as system_random
from threading import Event, Lock, Thread
from time import monotonic
from typing import TYPE_CHECKING

import grpc

from milvus_otel_processor.certificates import CertificateError
from milvus_otel_processor.exporter.batch import Batch
from milvus_otel_processor.exporter.client import Client
from milvus_otel_processor.exporter.part import of_request, of_traces
from milvus_otel_processor.exporter.queue import SpanQueue
from milvus_otel_processor.exporter.retry import may_be_one_span, may_pass, pauses, requested_pause
from milvus_otel_processor.exporter.signal import SPANS
from milvus_otel_processor.spans.groups import join_traces
from milvus_otel_processor.spans.schema import DecodeError
from milvus_otel_processor.telemetry.counters import Lost
from milvus_otel_processor.telemetry.faults import FaultLog
from milvus_otel_processor.telemetry.paced import PacedLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from milvus_otel_processor.exporter.part import Part
    from milvus_otel_processor.exporter.settings import ExporterSettings
    from milvus_otel_processor.exporter.signal import Signal
    from milvus_otel_processor.spans.contract import Trace
    from milvus_otel_processor.spans.schema import PartialSuccess
    from milvus_otel_processor.storage.outbox import Outbox
    from milvus_otel_processor.telemetry.counters import Telemetry
    from milvus_otel_processor.telemetry.log_records import LogTelemetry

_log = logging.getLogger(__name__)

_MIB = 1024 * 1024
_SECONDS_IN_MEMORY = 2.0  # after which a batch that was not sent is written down, if there is where
_SILENT_SECONDS = 1.0
"""Without any answer, after which a request that fails blames the connection too."""
_COPIES_UNDER_WAY = 2  # of a batch's bytes: the request, and what gRPC makes of it
_REFUSALS_LOOKED_INTO = 64  # of one batch: enough to find four or five bad spans among thousands


class _GivenUpError(Exception):
    """The processor stops, and there is no time left for another try."""


class OtlpExporter:
    """Takes kept spans over without waiting and sends them from threads of its own.

    `join_traces` makes one request of several traces: the store's own way, where it has a faster one. `outbox` is where
    batches go that cannot be sent soon, and where those are that an earlier process left. `on_out` is told of traces that are
    sent, lost and counted, or in the outbox. `token` returns the header with the token that is to be shown. `signal` is what it
    sends; of log records it is given what looks like traces (`logs.outlet`).

    Raises CertificateError where a file of the TLS settings cannot be read.
    """

    def __init__(
        self,
        settings: ExporterSettings,
        telemetry: Telemetry | LogTelemetry,
        *,
        signal: Signal = SPANS,
        clock: Callable[[], float] = monotonic,
        random: Callable[[], float] = system_random,
        join_traces: Callable[[Sequence[Trace]], bytes] = join_traces,
        outbox: Outbox | None = None,
        on_out: Callable[[Sequence[Trace]], None] = lambda _: None,
        token: Callable[[], tuple[str, str]] | None = None,
    ) -> None:
        self._settings = settings
        self._telemetry = telemetry
        self._signal = signal
        self._clock = clock
        self._random = random
        self._join_traces = join_traces
        self._queue = SpanQueue(settings.sending_queue, clock)
        self._outbox = outbox
        self._on_out = on_out
        self._retry = settings.retry_on_failure
        if outbox is not None and "max_elapsed_time" not in self._retry.model_fields_set:
            self._retry = self._retry.model_copy(
                update={"max_elapsed_time": 0.0}
            )  # what gives up is the disk, not the clock
        self._client = Client(settings, token, clock=clock, method=signal.method)
        self._largest = settings.sending_queue.batch.max_size_mib * _MIB
        self._giving_up = Event()
        self._faults = FaultLog(_log, clock)
        self._paced = PacedLog(_log, clock)
        self._under_way = 0
        self._under_way_lock = Lock()
        self._failing = False
        self._full = False
        self._threads = [
            Thread(target=self._send_batches, name=f"exporter-{number}", daemon=True)
            for number in range(settings.sending_queue.num_consumers)
        ]

    def start(self) -> None:
        """Start sending, what an earlier process left first."""
        if self._outbox is not None:
            self._queue.put_back(self._recovered(self._outbox))
        for thread in self._threads:
            thread.start()

    def put(self, trace: Trace) -> None:
        """Take the spans of a trace over; once stopped they are lost, and counted."""
        self._telemetry.queued(len(trace))  # before a thread of ours can have sent them
        if not self._queue.put(trace):
            self._telemetry.lost(Lost.SHUTDOWN, len(trace))

    def wait_for_room(self, timeout: float) -> bool:
        """Wait until there is room in the queue, for `timeout` seconds at the most; tell whether there is.

        Where decisions ask this between their turns, peer and queue set their pace, and nothing is lost to a queue that is full.
        """
        if self._queue.wait_for_room(0):
            self._full = False
            return True
        if not self._full:
            self._full = True
            _log.warning(
                "sending queue is full, decisions wait: endpoint=%s queue_size=%d",
                self._settings.endpoint,
                self._settings.sending_queue.queue_size,
            )
        return self._queue.wait_for_room(timeout)

    def renew(self) -> bool:
        """Follow certificates that have changed, which may be why something failed; tell whether they have."""
        try:
            renewed = self._client.renew()
        except CertificateError as error:
            self._paced.tell(logging.ERROR, "a certificate cannot be read again, the one before stays: %s", error)
            return False
        if renewed:
            _log.info("certificates have changed, connecting anew: endpoint=%s", self._settings.endpoint)
        return renewed

    def replace_headers(self, headers: Mapping[str, str]) -> None:
        """Send these headers with each request from now on."""
        self._client.replace_headers(headers)

    def memory(self) -> int:
        """Return about how much memory the spans take that wait to be sent, and requests under way; bytes."""
        return self._queue.bytes + self._under_way

    def position(self) -> int:
        """Return a number that tells what was put until now from what will be: see `is_out`."""
        return self._queue.position()

    def is_out(self, position: int) -> bool:
        """Tell whether all that was put before `position` was returned is sent, or lost, or on disk."""
        return self._queue.is_out(position)

    def write_down(self, older_than: float = _SECONDS_IN_MEMORY) -> None:
        """Put batches on disk that could not be sent within so many seconds, or for which the queue gets too small."""
        if self._outbox is None:
            return
        for batch in self._queue.in_memory(self._clock() - older_than):
            traces = batch.traces
            if not traces:  # done with meanwhile
                continue
            place = self._outbox.put(self._join_traces(traces))
            if place is None:
                return
            if self._queue.on_disk(batch, place):
                self._on_out(traces)
            else:
                self._outbox.done(place)

    def stop(self, grace: float) -> None:
        """Send what waits, for `grace` seconds at the most; what is left then is lost, and counted, if it is not on disk."""
        self._queue.close()
        deadline = self._clock() + grace
        for thread in self._threads:
            thread.join(max(0.0, deadline - self._clock()))
        self._queue.flush()
        self.write_down(older_than=-1.0)
        self._giving_up.set()
        left = sum(batch.spans for batch in self._queue.clear() if not batch.is_on_disk)
        if left:
            self._telemetry.lost(Lost.SHUTDOWN, left)
        self._client.close()
        for thread in self._threads:
            thread.join(1.0)

    def _recovered(self, outbox: Outbox) -> Iterator[Batch]:
        for place in outbox.recovered():
            try:
                spans = len(of_request(outbox.get(place), 0).pairs())
            except (OSError, DecodeError) as error:
                _log.error("a batch on disk cannot be read, it is lost: bytes=%d %s", place.size, error)
                outbox.done(place)
                continue
            self._telemetry.queued(spans)
            self._telemetry.recovered_kept(spans)
            yield Batch((), spans, size=place.size, place=place)

    def _send_batches(self) -> None:
        while (batch := self._queue.take()) is not None:
            parts: list[Part] = []
            traces = batch.traces
            takes = _COPIES_UNDER_WAY * batch.size
            self._takes(takes)
            try:
                parts.append(self._part(batch))
                self._send_in_parts(parts)
            except _GivenUpError:
                if batch.is_on_disk:  # for the next process
                    return
                self._telemetry.lost(Lost.SHUTDOWN, sum(part.spans for part in parts))
            except Exception as error:  # noqa: BLE001 - see below
                # Whatever it was, the spans must not vanish uncounted, nor the thread with them.
                left = sum(part.spans for part in parts) if parts else batch.spans
                self._faults.tell(
                    error, f"sending failed, kept {self._signal.noun} are lost: {self._signal.key}=%d", left
                )
                self._telemetry.lost(Lost.FAILED, left)
            self._takes(-takes)
            self._done(batch, traces)

    def _done(self, batch: Batch, traces: Sequence[Trace]) -> None:
        """Make room in the queue, and forget on disk what was sent or counted as lost; a disk that fails costs only the latter."""
        forgotten = "a batch that is done with cannot be forgotten on disk, it may be sent again: spans=%d"
        try:
            if not batch.is_on_disk:
                self._on_out(traces)
        except Exception as error:  # noqa: BLE001 - whatever it was, the thread has to go on
            self._faults.tell(error, forgotten, batch.spans)
        self._queue.done(batch)
        try:
            if self._outbox is not None and batch.place is not None:
                self._outbox.done(batch.place)
        except Exception as error:  # noqa: BLE001 - likewise
            self._faults.tell(error, forgotten, batch.spans)

    def _takes(self, size: int) -> None:
        with self._under_way_lock:
            self._under_way += size

    def _part(self, batch: Batch) -> Part:
        traces = batch.traces
        if traces:
            return of_traces(traces, self._join_traces)
        assert self._outbox is not None
        assert batch.place is not None
        return of_request(self._outbox.get(batch.place), batch.spans)

    def _send_in_parts(self, parts: list[Part]) -> None:
        """Send a batch as one request if that is not too large, nor refused for what may be the fault of one span.

        What is sent, or lost and counted, is taken out of `parts`.
        """
        refusals = 0
        while parts:
            part = parts[-1]
            request = part.request()
            if part.spans > 1 and len(request) > self._largest:
                parts[-1:] = part.halves()
                continue
            refusal = self._try(request, part.spans)
            if refusal is None:
                parts.pop()
                continue
            refusals += 1
            if part.spans > 1 and refusals <= _REFUSALS_LOOKED_INTO and may_be_one_span(refusal):
                parts[-1:] = part.halves()
            else:
                parts.pop()
                self._lose(part.spans, Lost.REJECTED, refusal)

    def _try(self, request: bytes, count: int) -> grpc.RpcError | None:
        """Send one request until it is taken, or lost and counted; return the error where the peer refused it for good.

        Raises _GivenUpError where the processor stops before that.
        """
        tries = pauses(self._retry, self._clock, self._random)
        left_silent = False
        while True:
            began = self._clock()
            try:
                answer = self._send(request)
            except ValueError:  # the channel is closed
                if not self._giving_up.is_set():
                    raise
                raise _GivenUpError from None
            except grpc.RpcError as error:
                if not may_pass(error):
                    return error
                pause = next(tries, None)
                if pause is None:
                    self._lose(count, Lost.RETRIES_EXHAUSTED, error)
                    return None
                self._failed(error)
                self.renew()
                if self._clock() - began >= _SILENT_SECONDS and self._client.leave_silent(began) and not left_silent:
                    # Once: then the peer is what does not answer, and is not to be pressed.
                    left_silent, pause = True, 0.0
                if self._giving_up.wait(max(pause, requested_pause(error, self._retry.max_interval))):
                    raise _GivenUpError from None
                self._telemetry.retried()
            else:
                self._sent(count, answer)
                return None

    def _send(self, request: bytes) -> PartialSuccess | None:
        began = self._clock()
        try:
            return self._client.send(request)
        finally:
            self._telemetry.sent_in(self._clock() - began)

    def _sent(self, count: int, answer: PartialSuccess | None) -> None:
        rejected = max(0, min(answer.rejected_spans, count)) if answer is not None else 0
        if answer is not None:
            message = answer.error_message.decode("utf-8", "replace")
            _log.warning(
                f"peer rejected {self._signal.noun}: endpoint=%s {self._signal.key}=%d message=%s",
                self._settings.endpoint,
                rejected,
                message,
            )
        if rejected:
            self._telemetry.lost(Lost.REJECTED, rejected)
        self._telemetry.exported(count - rejected)
        if self._failing:
            self._failing = False
            _log.info("exporting again: endpoint=%s", self._settings.endpoint)

    def _failed(self, error: grpc.RpcError) -> None:
        # Once per outage, not once per try.
        if not self._failing:
            self._failing = True
            _log.warning("exporting failed, trying again: endpoint=%s %s", self._settings.endpoint, _reason(error))

    def _lose(self, count: int, reason: Lost, error: grpc.RpcError) -> None:
        self._telemetry.lost(reason, count)
        _log.error(
            f"kept {self._signal.noun} are lost: reason=%s {self._signal.key}=%d endpoint=%s %s",
            reason.value,
            count,
            self._settings.endpoint,
            _reason(error),
        )


def _reason(error: grpc.RpcError) -> str:
    return f"code={error.code().name} details={error.details()}"
