"""The table of components: for each type that can stand in YAML its settings, and what is made of them.

`config/` reads from it which types there are, `service/` makes the components. A new component is a line here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from milvus_otel_processor.enrichment.settings import MilvusSettings
from milvus_otel_processor.exporter.settings import ExporterSettings
from milvus_otel_processor.extensions.bearer_token import BearerTokenSettings
from milvus_otel_processor.logs.settings import LogSamplingSettings
from milvus_otel_processor.memory.settings import MemoryLimiterSettings
from milvus_otel_processor.pipeline.own import OwnStage, find, is_own
from milvus_otel_processor.receiver.settings import ReceiverSettings
from milvus_otel_processor.redaction.settings import RedactionSettings
from milvus_otel_processor.sampling.settings import TailSamplingSettings
from milvus_otel_processor.storage.settings import FileStorageSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from milvus_otel_processor.enrichment.catalogue.collection import Collection
    from milvus_otel_processor.pipeline.contracts import Stage
    from milvus_otel_processor.sampling.policies import Clock
    from milvus_otel_processor.settings import Settings
    from milvus_otel_processor.spans.contract import Store
    from milvus_otel_processor.spans.stores import StoreKind
    from milvus_otel_processor.telemetry.counters import Telemetry

    SettingsModel = type[Settings]


class Around(NamedTuple):
    """What a stage is made with beside its settings."""

    telemetry: Telemetry
    clock: Clock
    random: Random
    store: Store
    store_kind: StoreKind
    """Which store that is, so that what is held beside it is held in the same way."""
    on_catalogue: Callable[[Sequence[Collection]], object]
    """Called with what Milvus has, whenever that was read."""


class StageSettings(NamedTuple):
    """A processor of the pipeline other than `tail_sampling`, by its id; `before_sampling` says on which side of that it stands."""

    name: str
    settings: Settings
    before_sampling: bool = True


class LogsPipeline(NamedTuple):
    """The pipeline for logs: what takes part in it."""

    sampling: LogSamplingSettings
    redaction: RedactionSettings | None
    """What must not leave, if anything."""
    exporter: ExporterSettings
    exporter_name: str
    """Its id."""
    authenticator: BearerTokenSettings | None
    """The token that it shows, if any."""


class Component(NamedTuple):
    """One type of component: the section of the YAML that it stands in, and the model of its settings.

    Of two processors the one with the lower `place` has to come first; those of the user's own have none. `make` makes a stage.
    """

    section: str
    type: str
    settings: SettingsModel
    place: int | None = None
    make: Callable[[str, Any, Around], Stage] | None = None


def _enrichment(name: str, settings: MilvusSettings, around: Around) -> Stage:
    from milvus_otel_processor.enrichment.component import Enrichment  # noqa: PLC0415 - it brings gRPC, which to validate needs not

    return Enrichment(
        settings,
        around.telemetry,
        name=name,
        clock=around.clock.monotonic,
        random=around.random,
        is_waiting=around.store.__contains__,
        wait=lambda: around.store.wait,
        on_catalogue=around.on_catalogue,
        store_kind=around.store_kind,
        time_ns=around.clock.time_ns,
    )


def _own(name: str, settings: Settings, around: Around) -> Stage:  # noqa: ARG001 - all are made alike
    return OwnStage(name, settings)


COMPONENTS = (
    Component("receivers", "otlp", ReceiverSettings),
    Component(
        "processors", "milvus", MilvusSettings, place=0, make=_enrichment
    ),  # so that rules can ask for what it adds
    Component("processors", "tail_sampling", TailSamplingSettings, place=1),
    Component("processors", "redaction", RedactionSettings, place=2),
    Component("processors", "log_sampling", LogSamplingSettings),  # of the pipeline for logs
    Component("exporters", "otlp", ExporterSettings),
    Component("exporters", "otlp_grpc", ExporterSettings),
    Component("extensions", "memory_limiter", MemoryLimiterSettings),
    Component("extensions", "bearertokenauth", BearerTokenSettings),
    Component("extensions", "file_storage", FileStorageSettings),
)
"""The components that there are, in the order of the reference of all keys."""

SECTIONS = tuple(dict.fromkeys(component.section for component in COMPONENTS))
"""The sections of the YAML that hold components."""


def types(section: str) -> list[str]:
    """Return the types of components that there are in a section."""
    return [component.type for component in COMPONENTS if component.section == section]


def component(section: str, type_: str) -> Component | None:
    """Return the component of this type, or None where there is none.

    A processor of the user's own is imported for it. Raises OwnProcessorError where that is impossible.
    """
    if section == "processors" and is_own(type_):
        return Component(section, type_, find(type_).Settings, make=_own)
    return next((found for found in COMPONENTS if (found.section, found.type) == (section, type_)), None)


def make_stage(stage: StageSettings, around: Around) -> Stage:
    """Make a stage. Raises OwnProcessorError, SourceError or CertificateError where it cannot be had."""
    found = component("processors", stage.name.partition("/")[0])
    assert found is not None
    assert found.make is not None
    return found.make(stage.name, stage.settings, around)
