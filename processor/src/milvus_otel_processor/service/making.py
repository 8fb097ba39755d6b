"""What the service is made of, made from the settings; what cannot be had is an error that says what can be done."""

from __future__ import annotations

from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Protocol

from milvus_otel_processor.exporter.exporter import OtlpExporter
from milvus_otel_processor.extensions.bearer_token import BearerToken
from milvus_otel_processor.requests.families import Counted, request_metrics
from milvus_otel_processor.requests.span_metrics import span_metrics
from milvus_otel_processor.service.assemble import Processors, redacts
from milvus_otel_processor.service.credentials import roles
from milvus_otel_processor.spans.groups import join_traces
from milvus_otel_processor.spans.stores import joiner
from milvus_otel_processor.storage.folder import StorageError
from milvus_otel_processor.storage.storage import Storage
from milvus_otel_processor.telemetry.own import PACKAGE
from milvus_otel_processor.telemetry.push import Push, PushError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from milvus_otel_processor.components import LogsPipeline
    from milvus_otel_processor.exporter.settings import ExporterSettings
    from milvus_otel_processor.extensions.bearer_token import BearerTokenSettings
    from milvus_otel_processor.memory.settings import MemoryLimiterSettings
    from milvus_otel_processor.page.settings import PageSettings
    from milvus_otel_processor.receiver.settings import ReceiverSettings
    from milvus_otel_processor.service.assemble import Assembled
    from milvus_otel_processor.spans.stores import StoreKind
    from milvus_otel_processor.storage.settings import FileStorageSettings
    from milvus_otel_processor.telemetry.counters import Telemetry
    from milvus_otel_processor.telemetry.family import Family, Source
    from milvus_otel_processor.telemetry.settings import MetricsSettings


class Configuration(Processors, Protocol):
    """What a service is made from: the settings of the components that its pipeline has."""

    @property
    def store(self) -> StoreKind:
        """What holds waiting spans."""

    @property
    def receiver(self) -> ReceiverSettings:
        """The `otlp` receiver."""

    @property
    def exporter(self) -> ExporterSettings:
        """The `otlp` exporter."""

    @property
    def logs(self) -> LogsPipeline | None:
        """What takes part in the pipeline for logs, if there is one."""

    @property
    def memory_limiter(self) -> MemoryLimiterSettings:
        """How much memory all of it may take."""

    @property
    def authenticator(self) -> BearerTokenSettings | None:
        """The token that senders have to show, if any."""

    @property
    def exporter_authenticator(self) -> BearerTokenSettings | None:
        """The token that the exporter shows, if any."""

    @property
    def file_storage(self) -> FileStorageSettings | None:
        """What it keeps on disk, if anything."""

    @property
    def metrics(self) -> MetricsSettings:
        """The processor's own metrics."""

    @property
    def resource(self) -> Mapping[str, str]:
        """What the metrics that are sent say of the processor, beside its name and version."""

    @property
    def page(self) -> PageSettings | None:
        """The live page and its API, if there is one."""

    @property
    def page_authenticator(self) -> BearerTokenSettings | None:
        """The token that has to be shown to the page's API, if any."""


class StartError(Exception):
    """The service cannot start; the message says why and what can be done."""


def make_token(settings: BearerTokenSettings | None) -> BearerToken | None:
    """Return the token that the settings name. Raises StartError where its file cannot be read."""
    if settings is None:
        return None
    try:
        return BearerToken(settings)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise StartError(
            f"extensions.bearertokenauth.filename: {settings.filename}: cannot be read: {reason}"
        ) from None


def certificate_files(config: Configuration) -> dict[str, str]:
    """Return the files of certificates by what they are for."""
    tls, milvus, logs = config.receiver.protocols.grpc.tls, config.milvus, config.logs
    return {
        **(roles("receiver", tls.named()) if tls is not None else {}),
        **roles("exporter", config.exporter.tls.named()),
        **(roles("logs_exporter", logs.exporter.tls.named()) if logs is not None else {}),
        **(roles("milvus", milvus.tls.named()) if milvus is not None else {}),
    }


def make_exporter(
    config: Configuration,
    telemetry: Telemetry,
    clock: Callable[[], float],
    storage: Storage | None,
    token: BearerToken | None,
) -> OtlpExporter:
    """Return the exporter. Raises StoreError or CertificateError where it cannot be had."""
    return OtlpExporter(
        config.exporter,
        telemetry,
        clock=clock,
        join_traces=join_traces if redacts(config) else joiner(config.store),
        outbox=storage.outbox if storage is not None else None,
        on_out=storage.sent.add if storage is not None else lambda _: None,
        token=token.header if token is not None else None,
    )


def make_storage(settings: FileStorageSettings | None, clock: Callable[[], float]) -> Storage | None:
    """Return what is kept on disk. Raises StartError where the folder cannot be had."""
    try:
        return Storage(settings, clock) if settings is not None else None
    except StorageError as error:
        raise StartError(f"extensions.file_storage.directory: {error}") from None


def make_pushes(config: Configuration, source: Source, telemetry: Telemetry, clock: Callable[[], float]) -> list[Push]:
    """Return what sends the metrics. Raises StartError where it cannot be had."""
    resource = {"service.name": PACKAGE, "service.version": version(PACKAGE), **config.resource}
    try:
        return [Push(one, source, resource, telemetry.metrics_not_sent, clock) for one in config.metrics.pushes]
    except PushError as error:
        raise StartError(f"service.telemetry.metrics.readers: {error}") from None


def requests_source(config: Configuration, assembled: Assembled, storage: Storage | None) -> list[Source]:
    """Return the source of the metrics of all requests, if they are counted, and count them as its readers want them.

    With a storage it is noted there, before anybody is shown it, what was counted up to then.
    """
    requests = assembled.requests
    if requests is None:
        return []
    counts, jaeger, undisturbed = requests.counts, config.metrics.span_metrics, assembled.pipeline.undisturbed
    counts.count_exponentially(config.metrics.exponential)
    if storage is not None:
        storage.counted.follow(requests.repeats)

    def read(exponential: bool) -> Iterator[Family]:
        up_to_now = partial(Counted.up_to_now, counts)
        counted = undisturbed(up_to_now) if storage is None else storage.counted.shown(up_to_now, undisturbed)
        yield from request_metrics(counted, exponential=exponential)
        if jaeger is not None:
            yield from span_metrics(counted, jaeger.service_name)

    return [read]
