"""Metrics that are sent by OTLP, by the OpenTelemetry SDK's own exporter, in a thread of their own."""

from __future__ import annotations

import logging
from pathlib import Path
from threading import Event, Thread
from time import time_ns
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from milvus_otel_processor.certificates import CertificateError, pem
from milvus_otel_processor.installing import how_to_install
from milvus_otel_processor.telemetry.faults import FaultLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from milvus_otel_processor.telemetry.family import Family, Source
    from milvus_otel_processor.telemetry.settings import OtlpSettings, PeriodicSettings

_log = logging.getLogger(__name__)

_MILLISECONDS = 1e3
_LEAST_APART = 1_000_000  # nanoseconds: Prometheus' times are milliseconds
_MOST_POINTS = 2_000
"""Data points in one request, so that it stays well below the 4 MiB that gRPC servers take."""


class PushError(Exception):
    """Metrics cannot be sent; the message says why and what can be done."""


class Push:
    """Sends what `source` has, every `interval` and once more at the end.

    Raises PushError where the packages for it are not installed, or a file that the settings name cannot be read.
    """

    def __init__(
        self,
        settings: PeriodicSettings,
        source: Source,
        resource: Mapping[str, str],
        on_failure: Callable[[], object],
        clock: Callable[[], float],
    ) -> None:
        try:
            # Only here: who sends no metrics does not pay for the SDK's memory.
            from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
            from opentelemetry.sdk.util.instrumentation import InstrumentationScope  # noqa: PLC0415

            from milvus_otel_processor.telemetry.otlp import metrics_data  # noqa: PLC0415

            self._exporter = _exporter(settings.exporter.otlp)
        except ImportError as error:
            raise PushError(
                f"a periodic reader needs packages that are not installed ({error.name}): {how_to_install('metrics')}"
            ) from None
        except CertificateError as error:
            raise PushError(str(error)) from None
        self._source = source
        self._exponential = settings.exporter.otlp.default_histogram_aggregation.startswith("base2")
        self._resource = Resource.create({"service.instance.id": str(uuid4()), **resource})
        self._scope = InstrumentationScope("milvus_otel_processor", resource.get("service.version"))
        self._data = metrics_data
        self._interval = settings.interval / _MILLISECONDS
        self._on_failure = on_failure
        self._faults = FaultLog(_log, clock)
        self._started_ns = self._last_ns = time_ns()
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="metrics", daemon=True)

    def start(self) -> None:
        """Send from now on."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Send once more, and no more; wait for it for `timeout` seconds at the most."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout)
        self._exporter.shutdown(0)

    def _run(self) -> None:
        while not self._stopping.wait(self._interval):
            self._send()
        self._send()

    def _send(self) -> None:
        # A clock that is set back must not give a later count an earlier time, nor the same: Prometheus refuses both.
        self._last_ns = max(time_ns(), self._last_ns + _LEAST_APART)
        try:
            for families in _in_parts(self._source(self._exponential)):
                data = self._data(families, self._resource, self._scope, self._started_ns, self._last_ns)
                if self._exporter.export(data).name != "SUCCESS":  # the exporter has logged why
                    self._on_failure()
                    break
        except Exception as error:  # noqa: BLE001 - one failure must not end all later ones
            self._on_failure()
            self._faults.tell(error, "sending the metrics failed")


def _in_parts(families: Iterable[Family]) -> Iterator[list[Family]]:
    """Yield all of them with no more than `_MOST_POINTS` points at once: the SDK's objects of all would take much memory."""
    part: list[Family] = []
    room = _MOST_POINTS
    for family in families:
        begin = 0
        while begin < len(family.points):
            points = family.points[begin : begin + room]
            part.append(family._replace(points=points))
            begin, room = begin + len(points), room - len(points)
            if not room:
                yield part
                part, room = [], _MOST_POINTS
    if part:
        yield part


def _exporter(settings: OtlpSettings) -> Any:
    headers = {header.name: header.value.get_secret_value() for header in settings.headers}
    timeout = settings.timeout / _MILLISECONDS
    for file in (settings.certificate, settings.client_certificate, settings.client_key):
        if file is not None:
            pem(Path(file))
    if settings.protocol == "grpc":
        return _grpc_exporter(settings, headers, timeout)
    from opentelemetry.exporter.otlp.proto.http import Compression  # noqa: PLC0415
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # noqa: PLC0415

    return OTLPMetricExporter(
        endpoint=settings.endpoint,
        certificate_file=settings.certificate,
        client_key_file=settings.client_key,
        client_certificate_file=settings.client_certificate,
        headers=headers,
        timeout=timeout,
        compression=Compression.Gzip if settings.compression == "gzip" else Compression.NoCompression,
        max_export_batch_size=_MOST_POINTS,
    )


def _grpc_exporter(settings: OtlpSettings, headers: Mapping[str, str], timeout: float) -> Any:
    import grpc  # noqa: PLC0415
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter  # noqa: PLC0415

    insecure = settings.endpoint.startswith("http://") or (settings.insecure and "://" not in settings.endpoint)
    credentials = None
    if not insecure:
        files = (settings.certificate, settings.client_key, settings.client_certificate)
        credentials = grpc.ssl_channel_credentials(*(pem(Path(file)) if file is not None else None for file in files))
    return OTLPMetricExporter(
        endpoint=settings.endpoint,
        insecure=insecure,
        credentials=credentials,
        headers=tuple((name.lower(), value) for name, value in headers.items()),
        timeout=timeout,
        compression=grpc.Compression.Gzip if settings.compression == "gzip" else grpc.Compression.NoCompression,
        max_export_batch_size=_MOST_POINTS,
    )
