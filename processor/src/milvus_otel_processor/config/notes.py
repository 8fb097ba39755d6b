"""What is accepted and means nothing, or can never matter, said as a warning at its place."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from milvus_otel_processor.config.asked import remarks_on_attributes
from milvus_otel_processor.config.nodes import Mapping, Sequence
from milvus_otel_processor.config.problems import Place, Problem
from milvus_otel_processor.enrichment.settings import MilvusSettings
from milvus_otel_processor.sampling.settings import TailSamplingSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milvus_otel_processor.config.model import Config
    from milvus_otel_processor.config.nodes import Node

_STEP = re.compile(r"\[(\d+)\]|[^.\[]+")


def notes(root: Mapping, config: Config) -> Iterator[Problem]:
    """Yield a warning for each note on the settings of the processors, at the line of the key that it is about."""
    section = root.get("processors")
    used = config.service.pipelines.traces.processors
    for name, settings in config.processors.items():
        node = section.get(name) if isinstance(section, Mapping) else None
        if node is None:
            continue
        if isinstance(settings, TailSamplingSettings):
            found = settings.notes()
            found += remarks_on_attributes(settings, config.milvus) if name in used else []
        elif isinstance(settings, MilvusSettings):
            found = list(_on_milvus(settings, samples=config.tail_sampling is not None))
        else:
            found = []
        for note in found:
            path, _, message = note.partition(": ")
            yield Problem(_place(node, path), f"processors.{name}.{path}", message)


def _on_milvus(settings: MilvusSettings, *, samples: bool) -> Iterator[str]:
    if samples and "wait_duration" in settings.model_fields_set:
        yield "wait_duration: means nothing beside tail_sampling, whose decision_wait is how long traces wait"
    if not settings.catalogue.enabled and settings.catalogue.model_fields_set - {"enabled"}:
        yield "catalogue.enabled: is false, so that the other settings of the catalogue mean nothing"
    if "access_log" not in settings.sources and settings.access_log.model_fields_set:
        yield "access_log: means nothing, because sources does not list access_log"
    if settings.catalogue.enabled and settings.catalogue.stale_after < settings.catalogue.interval:
        yield "catalogue.stale_after: is shorter than interval, so that facts are stale before they are read again"


def _place(node: Node, path: str) -> Place:
    place = node.place
    for step in _STEP.finditer(path):
        index, key = step.group(1), step.group()
        if index is None and isinstance(node, Mapping) and key in node.entries:
            entry = node.entries[key]
            node, place = entry.node, entry.key_place
        elif index is not None and isinstance(node, Sequence) and int(index) < len(node.items):
            node = node.items[int(index)]
            place = node.place
    return place
