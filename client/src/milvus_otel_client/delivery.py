"""What becomes of the spans of this process: how many ended, how many the exporter got rid of, and no waiting for long.

An exporter may take 10 s and more for one batch where nobody answers, and the SDK waits for it. So a batch is exported
in a thread of its own, and whoever waits for that can stop at a deadline.
"""

from __future__ import annotations

import inspect
import itertools
import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from opentelemetry import context as context_api
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import TraceFlags

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.context import Context
    from opentelemetry.sdk.metrics.export import MetricsData
    from opentelemetry.sdk.trace import ReadableSpan

_logger = logging.getLogger(__name__)
_FORK_PATIENCE_SECONDS = 0.1
"""How long a fork waits for the batch under way: gRPC is of no use in a child that is forked in the middle of a call."""
_SHUTDOWN_MILLISECONDS = 100


class Delivery(SpanExporter):
    """Exports through another exporter, in a thread of its own, and counts what that has taken."""

    def __init__(self, make: Callable[[], SpanExporter], clock: Callable[[], float] = time.monotonic) -> None:
        """Make the exporter; `make` is called once more in each forked child, which cannot use its parent's channel."""
        self._make = make
        self._clock = clock
        self._inner: SpanExporter | None = make()
        self._abandoned: list[SpanExporter | None] = []
        self.delivered = 0
        """Spans that the exporter has got rid of, in this process."""
        self._deadline: float | None = None
        self._may_fork = threading.Lock()
        self._forking = threading.local()
        self._start()

    def _start(self) -> None:
        self._changed = threading.Condition()
        self._job: _Job | None = None
        self._is_over = False
        self._thread = threading.Thread(target=self._work, name="milvus-otel-export", daemon=True)
        self._thread.start()

    def limit(self, deadline: float) -> None:
        """From the deadline on (by the clock) nobody waits for a batch any more: each one is a failure at once."""
        with self._changed:
            self._deadline = deadline
            self._changed.notify_all()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export a batch; FAILURE where the exporter says so, or the deadline comes first."""
        job = _Job(spans, context_api.get_current())
        with self._changed:
            while self._job is not None and not self._is_late():  # one that somebody else waits for
                self._changed.wait(self._patience())
            if self._is_late() or self._is_over:
                return SpanExportResult.FAILURE
            self._job = job
            self._changed.notify_all()
            while job.result is None and not self._is_late():
                self._changed.wait(self._patience())
        return job.result or SpanExportResult.FAILURE

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Return True: what keeps spans is the processor."""
        return self._inner is None or self._inner.force_flush(timeout_millis)

    def shutdown(self) -> None:
        """Stop the thread and the exporter; where that hangs, neither is waited for."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
        inner = self._inner
        if inner is None:
            return
        if "timeout_millis" in inspect.signature(inner.shutdown).parameters:
            inner.shutdown(timeout_millis=_SHUTDOWN_MILLISECONDS)  # type: ignore[call-arg] # OTLP's take it
        else:
            inner.shutdown()

    def before_fork(self) -> None:
        """Let the batch under way end, but not for long."""
        self._forking.holds = self._may_fork.acquire(timeout=_FORK_PATIENCE_SECONDS)

    def after_fork_in_parent(self) -> None:
        """Go on."""
        if self._forking.holds:
            self._may_fork.release()

    def after_fork_in_child(self) -> None:
        """Begin anew: the thread, the locks and the channel are the parent's, and so are the spans that wait."""
        self._may_fork = threading.Lock()
        self._abandoned.append(self._inner)  # its end would close what the parent uses
        self._inner = None
        self.delivered = 0
        self._deadline = None
        self._start()

    def _is_late(self) -> bool:
        return self._deadline is not None and self._clock() >= self._deadline

    def _patience(self) -> float | None:
        return None if self._deadline is None else max(0.0, self._deadline - self._clock())

    def _work(self) -> None:
        while True:
            with self._changed:
                while self._job is None and not self._is_over:
                    self._changed.wait()
                if self._job is None:
                    return
                job = self._job
            result = self._export(job)
            with self._changed:
                if result is SpanExportResult.SUCCESS:
                    self.delivered += len(job.spans)
                job.result = result
                self._job = None
                self._changed.notify_all()

    def _export(self, job: _Job) -> SpanExportResult:
        token = context_api.attach(job.context)  # the SDK has suppressed instrumentation in it
        try:
            with self._may_fork:
                if self._inner is None:
                    self._inner = self._make()
                return self._inner.export(job.spans)
        except Exception:
            _logger.exception("%d spans could not be exported", len(job.spans))
            return SpanExportResult.FAILURE
        finally:
            context_api.detach(token)


class _Job:
    __slots__ = ("context", "result", "spans")

    def __init__(self, spans: Sequence[ReadableSpan], context: Context) -> None:
        self.spans = spans
        self.context = context
        self.result: SpanExportResult | None = None


class DeliveryProcessor(BatchSpanProcessor):
    """The SDK's batches, and how many sampled spans have ended in this process."""

    def __init__(self, delivery: Delivery, *arguments: int) -> None:
        super().__init__(delivery, *arguments)
        self.delivery = delivery
        self._keep = super().on_end
        self._count_from_nothing()

    def _count_from_nothing(self) -> None:
        self._lock = threading.Lock()
        self._looks = 0
        self._count = itertools.count().__next__  # atomic, so that a span costs no lock

    def on_end(self, span: ReadableSpan) -> None:
        """Count the span, if it is sampled, and keep it for the next batch."""
        if (context := span.context) is not None and context.trace_flags & TraceFlags.SAMPLED:
            self._count()
        self._keep(span)

    def undelivered(self) -> int:
        """Return how many spans that ended were not delivered (yet)."""
        with self._lock:
            ended = self._count() - self._looks
            self._looks += 1
        return max(0, ended - self.delivery.delivered)

    def after_fork_in_child(self) -> None:
        """Count from nothing; the SDK has emptied the queue."""
        self._count_from_nothing()
        self.delivery.after_fork_in_child()


class WatchedMetricExporter(MetricExporter):
    """Exports through another exporter, and remembers whether the last batch was taken."""

    def __init__(self, inner: MetricExporter) -> None:
        # what the reader asks for of any exporter
        super().__init__(inner._preferred_temporality, inner._preferred_aggregation)  # noqa: SLF001
        self._inner = inner
        self.is_delivered = False

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> MetricExportResult:
        """Export a batch."""
        self.is_delivered = False
        result = self._inner.export(metrics_data, timeout_millis, **kwargs)
        self.is_delivered = result is MetricExportResult.SUCCESS
        return result

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Pass it on."""
        return self._inner.force_flush(timeout_millis)

    def shutdown(self, timeout_millis: float = 30_000, **_kwargs: Any) -> None:
        """Pass it on, without waiting."""
        self._inner.shutdown(timeout_millis=min(timeout_millis, _SHUTDOWN_MILLISECONDS))
