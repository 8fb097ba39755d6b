"""Puts the page together with what it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from milvus_otel_processor.doctor.peers import Peer
from milvus_otel_processor.page.inside import Inside
from milvus_otel_processor.page.page import Page
from milvus_otel_processor.page.rules_text import rules_file
from milvus_otel_processor.spans.stores import chosen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from milvus_otel_processor.extensions.bearer_token import BearerToken
    from milvus_otel_processor.memory.limiter import MemoryLimiter
    from milvus_otel_processor.page.settings import PageSettings
    from milvus_otel_processor.page.witness import Witness
    from milvus_otel_processor.pipeline.pipeline import Pipeline
    from milvus_otel_processor.service.admission import Admission
    from milvus_otel_processor.service.making import Configuration
    from milvus_otel_processor.telemetry.family import Source


class Parts(NamedTuple):
    """The parts of a service that its page looks at."""

    witness: Witness
    admission: Admission
    pipeline: Pipeline
    limiter: MemoryLimiter
    clock: Callable[[], float]
    metrics: Source


def make_page(
    config: Configuration, settings: PageSettings, parts: Parts, source: Path | None, token: BearerToken | None
) -> Page:
    """Return the page; `source` is the file of the configuration, and `token` what has to be shown, if anything."""
    inside = Inside(
        settings=settings,
        witness=parts.witness,
        processors=config,
        snapshot=parts.pipeline.snapshot,
        obstacle=parts.admission.obstacle,
        decided_until=lambda: parts.pipeline.decided_until,
        clock=parts.clock,
        metrics=parts.metrics,
        facts={
            "exports_to": config.exporter.endpoint,
            "milvus": config.milvus.uri if config.milvus is not None else "",
            "store": chosen(config.store),
        },
        peers=tuple(_peers(config, source)),
        rules_file=rules_file(source),
        config_file=source,
    )
    return Page(inside, token, lambda: parts.limiter.budget - parts.limiter.used)


def _peers(config: Configuration, source: Path | None) -> Iterator[Peer]:
    yield Peer("exporters.otlp.endpoint", config.exporter.endpoint, "which it exports spans to", takes_spans=True)
    if config.logs is not None:
        setting = f"exporters.{config.logs.exporter_name}.endpoint"
        yield Peer(setting, config.logs.exporter.endpoint, "which it exports log records to")
    # Where the built-in configuration looks for a Milvus is a guess, and it does without.
    if config.milvus is not None and source is not None:
        yield Peer("processors.milvus.uri", config.milvus.uri, "the Milvus that it asks for collections")
