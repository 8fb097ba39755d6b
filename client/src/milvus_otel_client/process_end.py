"""The end of this process, whichever way it comes: what waits is sent, within a limit, and what was lost is told."""

from __future__ import annotations

import contextlib
import logging
import re
import threading
import time
from typing import TYPE_CHECKING

from milvus_otel_client.endpoints import GRPC_EXPORTER_LOGGER, SCHEME_ADVICE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.trace import TracerProvider

    from milvus_otel_client.delivery import DeliveryProcessor, WatchedMetricExporter

_logger = logging.getLogger("milvus_otel_client")
_EXPORTERS = (
    GRPC_EXPORTER_LOGGER,
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry.exporter.otlp.proto.http.metric_exporter",
)
"""Loggers that tell of each try of a batch; at the end the last of their words stands in our line."""
_SHARE_OF_TRACES = 0.8
"""Of the time at the end, where metrics have to be sent as well."""
_OUR_DOING = ("Shutdown in progress", "already shutdown", "Channel closed")
"""What exporters say because they are stopped: no reason for anything."""
_CREDENTIALS = re.compile(r"[^\s/@:]*:[^\s/@]*@")
_LONGEST_REASON = 300


class ProcessEnd:
    """Sends what this process has to send when it ends, or is about to."""

    def __init__(self, timeout: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the seconds that the end may take."""
        self.timeout = timeout
        self.tracer_provider: TracerProvider | None = None
        self._processors: list[DeliveryProcessor] = []
        self.meter_provider: MeterProvider | None = None
        self._metric_exporters: list[WatchedMetricExporter] = []
        self._receivers: list[str] = []
        self._clock = clock
        self._gave_up_at: float | None = None
        self._once = threading.Lock()
        self.is_under_way = False
        """True from the beginning of the end on; nothing is sent after it."""
        self.is_busy = False
        """True while the end is sending."""

    def add_processor(self, processor: DeliveryProcessor, receiver: str) -> None:
        """Take charge of what a processor has to deliver; `receiver` is where a user would say that it sends to."""
        self._processors.append(processor)
        self._name(receiver)

    def add_metric_exporter(self, exporter: WatchedMetricExporter, receiver: str) -> None:
        """Take charge of the last metrics."""
        self._metric_exporters.append(exporter)
        self._name(receiver)

    def _name(self, receiver: str) -> None:
        if receiver and receiver not in self._receivers:
            self._receivers.append(receiver)

    def flush(self, timeout: float | None = None) -> bool:
        """Send what waits, in at most that many seconds; return False if something still waits.

        In a thread of its own, because it can be called from a signal handler, in the midst of anything. What could not
        be sent goes on waiting.
        """
        if self.is_under_way:
            return False
        return self._send(self._budget() if timeout is None else timeout) and not self._undelivered()

    def flush_before_the_end(self) -> None:
        """Send what waits, and tell what did not go: the process is about to end in a way that asks nobody."""
        if self.is_under_way:
            return
        with _silent_exporters() as words:
            self._send(self._budget())
        self._tell_lost(self._undelivered(), metrics=False, reason=words[-1] if words else "")

    def _send(self, budget: float) -> bool:
        done = threading.Event()

        def send() -> None:
            try:
                if self.tracer_provider is not None:
                    self.tracer_provider.force_flush()
                if self.meter_provider is not None:
                    self.meter_provider.force_flush()
            finally:
                done.set()

        threading.Thread(target=send, name="milvus-otel-flush", daemon=True).start()
        if not done.wait(budget):
            self._gave_up_at = self._clock()
            return False
        return True

    def end(self) -> None:
        """Send what waits and close everything, within the limit; tell what was lost. A second call does nothing."""
        with self._once:
            if self.is_under_way:
                return
            self.is_under_way = self.is_busy = True
        started, budget = self._clock(), self._budget()
        for name in _EXPORTERS:  # for good: one that is left in the middle of a try says so a moment later
            logging.getLogger(name).addFilter(_is_not_our_doing)
        with _silent_exporters() as words:
            if self.tracer_provider is not None:
                share = _SHARE_OF_TRACES if self.meter_provider is not None else 1
                for processor in self._processors:
                    processor.delivery.limit(started + share * budget)
                self.tracer_provider.shutdown()
            if self.meter_provider is not None:
                left = max(0.0, started + budget - self._clock())
                with contextlib.suppress(Exception):  # it raises where a reader was too late
                    self.meter_provider.shutdown(timeout_millis=1000 * left)
        are_metrics_lost = not all(exporter.is_delivered for exporter in self._metric_exporters)
        self._tell_lost(self._undelivered(), metrics=are_metrics_lost, reason=words[-1] if words else "")
        self.is_busy = False

    def before_fork(self) -> None:
        """Hold what must not be under way in a fork."""
        for processor in self._processors:
            processor.delivery.before_fork()

    def after_fork_in_parent(self) -> None:
        """Go on."""
        for processor in self._processors:
            processor.delivery.after_fork_in_parent()

    def after_fork_in_child(self) -> None:
        """Begin anew: the child has an end of its own."""
        self._once = threading.Lock()
        self._gave_up_at = None
        self.is_under_way = self.is_busy = False
        for processor in self._processors:
            processor.after_fork_in_child()

    def _budget(self) -> float:
        """Return the seconds left: what was waited for in vain a moment ago is not waited for again."""
        return self.timeout if self._gave_up_at is None else min(self.timeout, self._clock() - self._gave_up_at)

    def _undelivered(self) -> int:
        return sum(processor.undelivered() for processor in self._processors)

    def _tell_lost(self, spans: int, *, metrics: bool, reason: str) -> None:
        lost = ([f"{spans} span{'s' if spans != 1 else ''}"] if spans else []) + (
            ["the last metrics"] if metrics else []
        )
        if lost:
            _logger.warning(
                "milvus_otel_client: %s lost at the end of the process: %s did not take them within %g s (exit_timeout)%s",
                " and ".join(lost),
                " and ".join(self._receivers),
                self.timeout,
                f". {reason}" if reason else "",
            )


def _is_not_our_doing(record: logging.LogRecord) -> bool:
    said = record.getMessage()
    return not any(consequence in said for consequence in _OUR_DOING)


@contextlib.contextmanager
def _silent_exporters() -> Iterator[list[str]]:
    """Keep the exporters' word on each try out of the log, and collect it instead: one line in the end tells it all."""
    words: list[str] = []
    advice: str | None = None

    def take(record: logging.LogRecord) -> bool:
        nonlocal advice
        with contextlib.suppress(Exception):
            reason = _CREDENTIALS.sub("", " ".join(record.getMessage().split()))
            if _is_not_our_doing(record):
                advice = advice or SCHEME_ADVICE.on(reason)  # of the tries that follow one may say less
                words[:] = [advice or reason[:_LONGEST_REASON]]
        return False

    loggers = [logging.getLogger(name) for name in _EXPORTERS]
    advised = [logger for logger in loggers if SCHEME_ADVICE in logger.filters]
    for logger in advised:  # what it would say stands in our line
        logger.removeFilter(SCHEME_ADVICE)
    for logger in loggers:
        logger.addFilter(take)
    try:
        yield words
    finally:
        for logger in loggers:
            logger.removeFilter(take)
        for logger in advised:
            logger.addFilter(SCHEME_ADVICE)
