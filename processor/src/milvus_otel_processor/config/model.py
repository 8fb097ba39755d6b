"""The whole configuration: the settings of all components, and the pipeline that says which take part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeVar

from pydantic import BeforeValidator, Field, SerializeAsAny

from milvus_otel_processor.components import LogsPipeline, StageSettings
from milvus_otel_processor.enrichment.settings import MilvusSettings
from milvus_otel_processor.exporter.settings import ExporterSettings
from milvus_otel_processor.extensions.bearer_token import BearerTokenSettings
from milvus_otel_processor.logs.settings import LogSamplingSettings
from milvus_otel_processor.memory.settings import MemoryLimiterSettings
from milvus_otel_processor.page.settings import PageSettings
from milvus_otel_processor.receiver.settings import ReceiverSettings
from milvus_otel_processor.redaction.settings import RedactionSettings
from milvus_otel_processor.sampling.settings import TailSamplingSettings
from milvus_otel_processor.settings import AuthSettings, ComponentId, Duration, Settings
from milvus_otel_processor.spans.stores import StoreKind
from milvus_otel_processor.storage.settings import FileStorageSettings
from milvus_otel_processor.telemetry.settings import LogsSettings, MetricsSettings, ResourceSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_Model = TypeVar("_Model", bound=Settings)


class TelemetrySettings(Settings):
    """`service.telemetry`: what the processor says of itself."""

    logs: LogsSettings = Field(default=LogsSettings(), description="The log on stderr.")
    metrics: MetricsSettings = Field(default=MetricsSettings(), description="The processor's own metrics.")
    resource: ResourceSettings = Field(
        default=ResourceSettings(), description="Who sends the metrics that are sent by OTLP."
    )
    page: PageSettings | None = Field(
        default=None, description="The live page and its API; without this block there is none. Not in the Collector."
    )


class PipelineSettings(Settings):
    """`service.pipelines.traces`: which of the components take part, by their ids."""

    receivers: list[ComponentId] = Field(min_length=1, max_length=1, description="The one receiver.")
    processors: list[ComponentId] = Field(
        default=[],
        description="Any of `milvus`, `tail_sampling` and `redaction`, in this order, and processors of your own; none passes "
        "all spans on.",
    )
    exporters: list[ComponentId] = Field(min_length=1, max_length=1, description="The one exporter.")


class LogsPipelineSettings(Settings):
    """`service.pipelines.logs`: log records that are sampled with their trace."""

    receivers: list[ComponentId] = Field(min_length=1, max_length=1, description="That of the pipeline for traces.")
    processors: list[ComponentId] = Field(
        min_length=1,
        max_length=2,
        description="`log_sampling`, and behind it `redaction`, which has to be there where the pipeline for traces has one.",
    )
    exporters: list[ComponentId] = Field(min_length=1, max_length=1, description="The one exporter.")


def _switched_off(value: object) -> object:
    return value or None


class PipelinesSettings(Settings):
    """`service.pipelines`: one for traces, and one for logs if that is wanted."""

    traces: PipelineSettings = Field(description="The pipeline for traces.")
    logs: Annotated[LogsPipelineSettings | None, BeforeValidator(_switched_off)] = Field(
        default=None,
        description="The pipeline for logs. Without it the lines of Milvus' access log are read for enrichment, other log records "
        "are not wanted, and none is passed on. Empty, as `${env:LOGS_PIPELINE:-}` where that is not set, it is off.",
    )


class ServiceSettings(Settings):
    """`service`: what is run, and what it says of itself."""

    telemetry: TelemetrySettings = Field(default=TelemetrySettings(), description="The processor's own log.")
    shutdown_timeout: Duration = Field(
        default=8.0,
        description="How long stopping may take, from the signal on: deciding what waits, and sending it; what is left then is "
        "lost. Docker gives 10s before it kills, Kubernetes 30s: stay two seconds below. Not in the Collector; seconds.",
    )
    substitution_in_rules: bool = Field(
        default=False,
        description="Whether `${env:}` and `${file:}` are replaced in a file that holds the rules, `tail_sampling: ${file:…}`, "
        "too: whoever may edit that could then read secrets. Not in the Collector.",
    )
    last_good_rules: str | None = Field(
        default=None,
        min_length=1,
        description="A file to which the rules are written whenever they take effect. Where the rules are broken at a start, it "
        "starts with that copy, and says so, instead of not at all. Its folder has to be there. Not in the Collector.",
    )
    store: StoreKind = Field(
        default="auto",
        description="What holds waiting spans: `native`, which is written in Rust and has to be installed "
        "(README, *Install*), `reference`, which is always there, or `auto`: the native one where it is installed. "
        "Both keep the same traces; not in the Collector.",
    )
    extensions: list[ComponentId] = Field(
        default=[], description="The extensions that take part, by their ids; `memory_limiter` does so anyway."
    )
    pipelines: PipelinesSettings = Field(description="The flow of the data.")


class Config(Settings):
    """A configuration that has been checked as a whole; components are by id, `type` or `type/name`, as in the YAML."""

    receivers: dict[str, ReceiverSettings]
    processors: dict[str, SerializeAsAny[Settings]]
    exporters: dict[str, ExporterSettings]
    extensions: dict[str, SerializeAsAny[Settings]] = Field(default={})
    service: ServiceSettings

    @property
    def metrics(self) -> MetricsSettings:
        """The processor's own metrics."""
        return self.service.telemetry.metrics

    @property
    def resource(self) -> Mapping[str, str]:
        """What the metrics that are sent say of the processor."""
        return {one.name: one.value for one in self.service.telemetry.resource.attributes}

    @property
    def page(self) -> PageSettings | None:
        """The live page and its API, if there is one."""
        return self.service.telemetry.page

    @property
    def page_authenticator(self) -> BearerTokenSettings | None:
        """The token that has to be shown to the page's API: the extension that it names as its `auth.authenticator`, if it does."""
        return self._token(self.page.auth if self.page is not None else None)

    @property
    def store(self) -> StoreKind:
        """What holds waiting spans."""
        return self.service.store

    @property
    def receiver(self) -> ReceiverSettings:
        """The receiver of the pipeline."""
        return self.receivers[self.service.pipelines.traces.receivers[0]]

    @property
    def milvus(self) -> MilvusSettings | None:
        """The `milvus` processor of the pipeline, if it has one."""
        return _first(MilvusSettings, self._processors())

    @property
    def tail_sampling(self) -> TailSamplingSettings | None:
        """The `tail_sampling` processor of the pipeline, if it has one."""
        return _first(TailSamplingSettings, self._processors())

    @property
    def exporter(self) -> ExporterSettings:
        """The exporter of the pipeline."""
        return self.exporters[self.service.pipelines.traces.exporters[0]]

    @property
    def logs(self) -> LogsPipeline | None:
        """What takes part in the pipeline for logs, if there is one."""
        pipeline = self.service.pipelines.logs
        if pipeline is None:
            return None
        processors = [self.processors[name] for name in pipeline.processors]
        sampling, name = _first(LogSamplingSettings, processors), pipeline.exporters[0]
        assert sampling is not None
        exporter = self.exporters[name]
        redaction = _first(RedactionSettings, processors)
        return LogsPipeline(sampling, redaction, exporter, name, self._token(exporter.auth))

    @property
    def memory_limiter(self) -> MemoryLimiterSettings:
        """How much memory all of it may take: a `memory_limiter` extension that takes part, or what is so without one."""
        used = (self.extensions[name] for name in self.service.extensions)
        return _first(MemoryLimiterSettings, used) or MemoryLimiterSettings()

    @property
    def authenticator(self) -> BearerTokenSettings | None:
        """The token that senders have to show: the extension that the receiver names as its `auth.authenticator`, if it does."""
        return self._token(self.receiver.protocols.grpc.auth)

    @property
    def exporter_authenticator(self) -> BearerTokenSettings | None:
        """The token that the exporter shows, likewise."""
        return self._token(self.exporter.auth)

    @property
    def file_storage(self) -> FileStorageSettings | None:
        """What is kept on disk: the extension that the `tail_sampling` block names as its `tail_storage`, if it does."""
        return self._extension(FileStorageSettings, self.tail_sampling.tail_storage if self.tail_sampling else None)

    @property
    def stages(self) -> list[StageSettings]:
        """The processors of the pipeline but `tail_sampling`, in their order."""
        before, stages = True, []
        for name in self.service.pipelines.traces.processors:
            settings = self.processors[name]
            if isinstance(settings, TailSamplingSettings):
                before = False
            else:
                stages.append(StageSettings(name, settings, before))
        return stages

    def _token(self, auth: AuthSettings | None) -> BearerTokenSettings | None:
        return self._extension(BearerTokenSettings, auth.authenticator if auth is not None else None)

    def _extension(self, model: type[_Model], name: str | None) -> _Model | None:
        return _first(model, [self.extensions[name]] if name in self.extensions else [])

    def _processors(self) -> Iterable[Settings]:
        return (self.processors[name] for name in self.service.pipelines.traces.processors)


def _first(model: type[_Model], found: Iterable[Settings]) -> _Model | None:
    """Return the first of these settings that is of this component; None where none is."""
    return next((settings for settings in found if isinstance(settings, model)), None)
