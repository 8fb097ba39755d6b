"""Puts the steps between receiver and exporter together: gather, enrich, decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from milvus_otel_processor.pipeline.decider import Decider
from milvus_otel_processor.pipeline.limits import limits_of
from milvus_otel_processor.pipeline.pipeline import Pipeline
from milvus_otel_processor.sampling.sampler import Sampler
from milvus_otel_processor.sampling.settings import DecisionCacheSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from milvus_otel_processor.enrichment.enricher import Enricher
    from milvus_otel_processor.enrichment.settings import MilvusSettings
    from milvus_otel_processor.pipeline.decider import Exporter
    from milvus_otel_processor.sampling.policies import Clock
    from milvus_otel_processor.sampling.settings import TailSamplingSettings
    from milvus_otel_processor.spans.store import Buffer
    from milvus_otel_processor.telemetry.counters import Telemetry


class Processors(Protocol):
    """The settings of the processors that a pipeline has."""

    @property
    def milvus(self) -> MilvusSettings | None:
        """The `milvus` processor, if it takes part."""

    @property
    def tail_sampling(self) -> TailSamplingSettings | None:
        """The `tail_sampling` processor, if it takes part."""


def gathering_time(config: Processors) -> float:
    """Return how long traces are gathered: for sampling, else for enrichment alone, else not at all; seconds."""
    if config.tail_sampling is not None:
        return config.tail_sampling.decision_wait
    return config.milvus.wait_duration if config.milvus is not None else 0.0


def wire(
    config: Processors,
    *,
    buffer: Buffer,
    enricher: Enricher | None,
    exporter: Exporter,
    telemetry: Telemetry,
    clock: Clock,
    wait_for_room: Callable[[float], bool] = lambda _: True,
) -> Pipeline:
    """Return the pipeline that these settings describe, between what brings requests and what takes kept spans.

    `wait_for_room` waits that many seconds at the most until the exporter has room for more, and tells whether it has.
    """
    sampling = config.tail_sampling
    decider = Decider(
        enricher=enricher,
        sampler=Sampler(sampling, clock, telemetry.evaluation_errors) if sampling is not None else None,
        cache_settings=sampling.decision_cache if sampling is not None else DecisionCacheSettings(),
        exporter=exporter,
        telemetry=telemetry,
        clock=clock.monotonic,
    )
    return Pipeline(
        buffer=buffer,
        limits=limits_of(sampling),
        wait_after_root=sampling.decision_wait_after_root_received if sampling is not None else 0.0,
        wait_after_complete=sampling.decision_wait_after_complete if sampling is not None else 0.0,
        decider=decider,
        telemetry=telemetry,
        clock=clock.monotonic,
        wait_for_room=wait_for_room,
    )


def rewire(pipeline: Pipeline, sampling: TailSamplingSettings, telemetry: Telemetry, clock: Clock) -> None:
    """Give a pipeline that samples, and may be running, other rules."""
    pipeline.replace_rules(
        Sampler(sampling, clock, telemetry.evaluation_errors),
        sampling.decision_cache,
        limits=limits_of(sampling),
        wait=sampling.decision_wait,
        wait_after_root=sampling.decision_wait_after_root_received,
        wait_after_complete=sampling.decision_wait_after_complete,
    )
