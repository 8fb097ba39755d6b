"""``setup``: traces, and metrics if asked for, to where the variables say, and pymilvus instrumented, in one line."""

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING, Any

from opentelemetry import metrics as metrics_api
from opentelemetry import trace
from opentelemetry.instrumentation.environment_variables import OTEL_PYTHON_DISABLED_INSTRUMENTATIONS
from opentelemetry.sdk.environment_variables import (
    OTEL_BSP_EXPORT_TIMEOUT,
    OTEL_BSP_MAX_EXPORT_BATCH_SIZE,
    OTEL_BSP_MAX_QUEUE_SIZE,
    OTEL_BSP_SCHEDULE_DELAY,
    OTEL_EXPORTER_OTLP_INSECURE,
    OTEL_EXPORTER_OTLP_TRACES_INSECURE,
    OTEL_SDK_DISABLED,
)
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from milvus_otel_client import environment, exporters, process_hooks
from milvus_otel_client.checks import check_seconds, check_setup
from milvus_otel_client.delivery import Delivery, DeliveryProcessor, WatchedMetricExporter
from milvus_otel_client.instrumentor import MilvusInstrumentor, is_disabled
from milvus_otel_client.options import OPTION_NAMES, choice, options_from
from milvus_otel_client.process_end import ProcessEnd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from opentelemetry.sdk.trace import SpanProcessor

    from milvus_otel_client.options import RequestHook, ResponseHook

_logger = logging.getLogger(__name__)
EXIT_TIMEOUT_VARIABLE = "OTEL_PYTHON_MILVUS_EXIT_TIMEOUT"
FLUSH_ON_SIGTERM_VARIABLE = "OTEL_PYTHON_MILVUS_FLUSH_ON_SIGTERM"
DEFAULT_EXIT_TIMEOUT = 5.0
"""Seconds."""
_BATCH_VARIABLES = (
    OTEL_BSP_EXPORT_TIMEOUT,
    OTEL_BSP_MAX_EXPORT_BATCH_SIZE,
    OTEL_BSP_MAX_QUEUE_SIZE,
    OTEL_BSP_SCHEDULE_DELAY,
)
_BOOLEAN_VARIABLES = (OTEL_SDK_DISABLED, OTEL_EXPORTER_OTLP_INSECURE, OTEL_EXPORTER_OTLP_TRACES_INSECURE)
_BATCH_DEFAULTS = (2048, 5000, 512, 30_000)
"""The SDK's: spans in the queue, milliseconds between batches, spans in a batch, milliseconds for a batch."""
_PROVIDER_ARGUMENTS = {
    "service_name",
    "resource_attributes",
    "endpoint",
    "insecure",
    "headers",
    "exit_timeout",
    "flush_on_sigterm",
}


def setup(
    service_name: str | None = None,
    *,
    endpoint: str | None = None,
    insecure: bool | None = None,
    headers: Mapping[str, str] | None = None,
    resource_attributes: Mapping[str, str] | None = None,
    metrics: bool | None = None,
    exit_timeout: float | None = None,
    flush_on_sigterm: bool | None = None,
    rpc_spans: bool | None = None,
    capture_query_text: bool | None = None,
    capture_error_messages: bool | None = None,
    request_hook: RequestHook | None = None,
    response_hook: ResponseHook | None = None,
) -> trace.TracerProvider:
    """Send this process' traces over OTLP, and trace every call of pymilvus. Returns the provider in use.

    What is left out comes from the standard variables: ``OTEL_SERVICE_NAME``, ``OTEL_RESOURCE_ATTRIBUTES``,
    ``OTEL_TRACES_EXPORTER`` (``otlp``, ``console``, ``none``), ``OTEL_EXPORTER_OTLP_PROTOCOL`` (``grpc``, or
    ``http/protobuf`` where that exporter is installed), ``OTEL_EXPORTER_OTLP_ENDPOINT`` and its relatives,
    ``OTEL_TRACES_SAMPLER``, ``OTEL_BSP_*``, ``OTEL_SDK_DISABLED``. The endpoint defaults to ``http://localhost:4317``,
    where the Collector listens.

    ``metrics`` sends ``db.client.operation.duration`` to the same endpoint, which then has to take metrics; left out,
    that is done where ``OTEL_METRICS_EXPORTER`` says ``otlp`` or ``console``.

    Spans and metrics are flushed when the process ends, in at most ``exit_timeout`` seconds (5, or
    ``OTEL_PYTHON_MILVUS_EXIT_TIMEOUT``); what was lost is told in one line. That covers forked children, those of
    `multiprocessing`, Celery and uvicorn, and, unless ``flush_on_sigterm`` is False, SIGTERM where nobody handles it.

    Where the application has set a provider already, that one is used and nothing is added to it. A second call does
    nothing more. Arguments that are not used for one of these reasons are named in a warning.

    Raises TypeError or ValueError for an argument that is none of what is expected.
    """
    given = {name: value for name, value in locals().items() if value is not None}
    check_setup(given)
    with _state.lock:
        return _Setup(given, exporters.Target(endpoint, insecure, headers)).run()


def flush(timeout: float | None = None) -> bool:
    """Send what waits in this process, where its end cannot be caught: before `os._exit`, for example.

    Waits for `timeout` seconds at most (by default those of `setup`); returns False if something still waits then.
    Raises TypeError or ValueError for a timeout that is no number of seconds.
    """
    check_seconds("timeout", timeout)
    if _state.end is not None:
        return _state.end.flush(timeout)
    force_flush = getattr(trace.get_tracer_provider(), "force_flush", None)
    if force_flush is None:
        return True
    return bool(force_flush() if timeout is None else force_flush(int(1000 * timeout)))


class _State:
    """What earlier calls of `setup` did in this process, or in the one that it was forked from."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.end: ProcessEnd | None = None
        self.provider: trace.TracerProvider | None = None
        self.in_effect: dict[str, Any] = {}

    def after_fork_in_child(self) -> None:
        self.lock = threading.Lock()


_state = _State()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_state.after_fork_in_child)


class _Setup:
    """One call of `setup`, which is done under the lock."""

    def __init__(self, given: dict[str, Any], target: exporters.Target) -> None:
        self._given = given
        self._target = target
        self._used: set[str] = set()
        self._reasons: list[str] = []

    def run(self) -> trace.TracerProvider:
        options = self._options()  # before anything is made: an argument can be wrong
        provider = self._traces()
        self._metrics()
        if options is not None:
            MilvusInstrumentor().instrument(**options)
        self._tell()
        return provider

    def _options(self) -> dict[str, Any] | None:
        """Return what to instrument with; None where that is not to be done."""
        names = set(OPTION_NAMES)
        given = {name: self._given.get(name) for name in names}
        if is_disabled():
            _logger.info("pymilvus is not traced: %s", OTEL_PYTHON_DISABLED_INSTRUMENTATIONS)
            self._unused(names, "pymilvus is not traced")
            return None
        if MilvusInstrumentor().is_instrumented_by_opentelemetry:
            self._unused(names, "pymilvus is instrumented already")
            return None
        self._used |= names
        options = options_from(**given)
        return {name: getattr(options, name) for name in names}

    def _traces(self) -> trace.TracerProvider:
        provider = trace.get_tracer_provider()
        if not isinstance(provider, trace.ProxyTracerProvider):
            is_ours = provider is _state.provider
            self._unused(
                _PROVIDER_ARGUMENTS, f"{'an earlier setup' if is_ours else 'the application'} has set a provider"
            )
            return provider
        environment.tell_misspelt_booleans(_BOOLEAN_VARIABLES)
        ours = TracerProvider(resource=self._resource(), shutdown_on_exit=False)
        self._used |= {"service_name", "resource_attributes"}
        end = self._end()
        end.tracer_provider = ours
        wanted = exporters.names(exporters.TRACES) or ["otlp"]
        for each in exporters.chosen(exporters.TRACES, wanted, self._target):
            processor = _span_processor(each)
            if processor is not None:
                self._used |= each.takes
                ours.add_span_processor(processor)
                if isinstance(processor, DeliveryProcessor):
                    end.add_processor(processor, each.receiver)
        self._unused(_PROVIDER_ARGUMENTS, f"{exporters.TRACES.variable} or the protocol has no use for it")
        trace.set_tracer_provider(ours)
        _state.provider = ours
        return ours

    def _metrics(self) -> None:
        named = exporters.names(exporters.METRICS)
        is_wanted = self._given.get("metrics", bool({"otlp", "console"} & set(named)))
        # the API has no public name for the class that stands there until one is set
        if is_wanted and type(metrics_api.get_meter_provider()).__name__ != "_ProxyMeterProvider":
            self._unused({"metrics"}, "a meter provider is there already")
            return
        self._used.add("metrics")
        if not is_wanted:
            return
        wanted = [name for name in named if name != "none"] or ["otlp"]
        watched = [
            (WatchedMetricExporter(exporter), each.receiver)
            for each in exporters.chosen(exporters.METRICS, wanted, self._target)
            if (exporter := _made(each.make, exporters.METRICS)) is not None
        ]
        if watched:
            readers = [PeriodicExportingMetricReader(exporter) for exporter, _ in watched]
            provider = MeterProvider(readers, self._resource(), shutdown_on_exit=False)
            metrics_api.set_meter_provider(provider)
            end = self._end()
            end.meter_provider = provider
            for exporter, receiver in watched:
                end.add_metric_exporter(exporter, receiver)

    def _resource(self) -> Resource:
        named = {SERVICE_NAME: self._given["service_name"]} if "service_name" in self._given else {}
        return Resource.create({**self._given.get("resource_attributes", {}), **named})

    def _end(self) -> ProcessEnd:
        """Return the end of this process, which is caught from the first thing on that has to be sent."""
        if _state.end is None:
            timeout = self._given.get("exit_timeout")
            if timeout is None:
                timeout = environment.seconds(EXIT_TIMEOUT_VARIABLE, default=DEFAULT_EXIT_TIMEOUT)
            name = "flush_on_sigterm"
            on_sigterm = choice(name, self._given.get(name), FLUSH_ON_SIGTERM_VARIABLE, default=True)
            _state.end = ProcessEnd(timeout)
            process_hooks.install(_state.end, on_sigterm=on_sigterm)
            self._used |= {"exit_timeout", name}
        return _state.end

    def _unused(self, names: Iterable[str], reason: str) -> None:
        in_effect = _state.in_effect
        left_out = [
            name
            for name, value in self._given.items()
            if name in names and name not in self._used and not (name in in_effect and in_effect[name] == value)
        ]
        if left_out:
            self._reasons.append(f"{', '.join(left_out)} ({reason})")

    def _tell(self) -> None:
        _state.in_effect |= {name: self._given[name] for name in self._used & self._given.keys()}
        if self._reasons:
            _logger.warning("milvus_otel_client.setup: arguments that are not used: %s", "; ".join(self._reasons))


def _span_processor(chosen: exporters.Chosen) -> SpanProcessor | None:
    if chosen.is_console:
        return SimpleSpanProcessor(chosen.make())  # each span is there at once, as the reader expects
    delivery = _made(lambda: Delivery(chosen.make), exporters.TRACES)
    if delivery is None:
        return None
    with environment.without_misspelt_numbers(_BATCH_VARIABLES):
        try:
            return DeliveryProcessor(delivery)
        except ValueError as error:
            _logger.warning("%s: the defaults are taken: %s", ", ".join(_BATCH_VARIABLES), error)
            return DeliveryProcessor(delivery, *_BATCH_DEFAULTS)


def _made(make: Callable[[], Any], signal: exporters.Signal) -> Any:
    """Make an exporter; where a variable or a file keeps it from that, the application goes on without."""
    try:
        return make()
    except Exception as error:  # noqa: BLE001 - exporters raise anything
        _logger.error(  # noqa: TRY400 - the reason says enough
            "milvus_otel_client: no %s are exported: the exporter could not be made: %s; look at OTEL_EXPORTER_*",
            signal.name,
            error,
        )
        return None
