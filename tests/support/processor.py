"""A whole processor, running in the test's own process."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from milvus_otel_processor.components import LogsPipeline, StageSettings
from milvus_otel_processor.enrichment.settings import MilvusSettings
from milvus_otel_processor.exporter.settings import ExporterSettings
from milvus_otel_processor.extensions.bearer_token import BearerTokenSettings
from milvus_otel_processor.memory.settings import MemoryLimiterSettings
from milvus_otel_processor.page.settings import PageSettings
from milvus_otel_processor.receiver.settings import ReceiverSettings
from milvus_otel_processor.redaction.settings import RedactionSettings
from milvus_otel_processor.sampling.settings import TailSamplingSettings
from milvus_otel_processor.service.service import Service
from milvus_otel_processor.spans.stores import StoreKind
from milvus_otel_processor.storage.settings import FileStorageSettings
from milvus_otel_processor.telemetry.settings import MetricsSettings
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tests.peers.otlp_sink import METHOD
from tests.support import stores

CALL_SECONDS = 20.0
STOP_SECONDS = 10.0


@dataclass(frozen=True)
class Configuration:
    """The settings of one processor's components."""

    receiver: ReceiverSettings
    exporter: ExporterSettings
    tail_sampling: TailSamplingSettings | None = None
    milvus: MilvusSettings | None = None
    metrics: MetricsSettings = field(default_factory=MetricsSettings)
    resource: Mapping[str, str] = field(default_factory=dict)
    memory_limiter: MemoryLimiterSettings = field(default_factory=MemoryLimiterSettings)
    file_storage: FileStorageSettings | None = None
    authenticator: BearerTokenSettings | None = None
    exporter_authenticator: BearerTokenSettings | None = None
    page: PageSettings | None = None
    page_authenticator: BearerTokenSettings | None = None
    redaction: RedactionSettings | None = None
    logs: LogsPipeline | None = None
    store: StoreKind = field(default_factory=stores.kind)

    @property
    def stages(self) -> list[StageSettings]:
        named = {"milvus": self.milvus, "redaction": self.redaction}
        return [StageSettings(name, settings) for name, settings in named.items() if settings is not None]


def receiver_settings(endpoint: str = "127.0.0.1:0", **settings: object) -> ReceiverSettings:
    return ReceiverSettings.model_validate({"protocols": {"grpc": {"endpoint": endpoint, **settings}}})


def exporter_settings(endpoint: str, **settings: object) -> ExporterSettings:
    """An exporter that sends plain text, soon; overridden by `settings`."""
    soon = {"batch": {"flush_timeout": 0.01}}
    return ExporterSettings.model_validate(
        {"endpoint": endpoint, "tls": {"insecure": True}, "sending_queue": soon, **settings}
    )


class Running:
    """A processor that is up, and a client of it."""

    def __init__(self, service: Service, channel: grpc.Channel) -> None:
        self.service = service
        self.channel = channel
        self._export = channel.unary_unary(METHOD, response_deserializer=ExportTraceServiceResponse.FromString)
        self._stopped = False

    def send(self, request: bytes, compression: grpc.Compression | None = None) -> ExportTraceServiceResponse:
        """Export a serialized request; raises grpc.RpcError."""
        answer: ExportTraceServiceResponse = self._export(request, timeout=CALL_SECONDS, compression=compression)
        return answer

    def stop(self, grace_seconds: float = STOP_SECONDS) -> None:
        """Stop the processor as a signal would: what waits is decided, what is kept is sent. Does so once."""
        if not self._stopped:
            self._stopped = True
            self.service.stop(grace_seconds)


@contextmanager
def running_processor(configuration: Configuration, source: Path | None = None) -> Iterator[Running]:
    """A processor that is stopped in the end, if the test has not done it."""
    service = Service(configuration, source=source)
    service.start()
    with grpc.insecure_channel(service.endpoint, options=[("grpc.max_receive_message_length", -1)]) as channel:
        running = Running(service, channel)
        try:
            yield running
        finally:
            running.stop()
