"""What is accepted and means nothing, or can never matter, said as a warning at its place."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from milvus_otel_processor.components import SECTIONS
from milvus_otel_processor.config.asked import remarks_on_attributes
from milvus_otel_processor.config.nodes import Mapping, Sequence
from milvus_otel_processor.config.problems import Place, Problem
from milvus_otel_processor.enrichment.settings import MilvusSettings
from milvus_otel_processor.logs.settings import LogSamplingSettings
from milvus_otel_processor.sampling.settings import TailSamplingSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milvus_otel_processor.config.model import Config
    from milvus_otel_processor.config.nodes import Node
    from milvus_otel_processor.settings import Settings

_STEP = re.compile(r"\[(\d+)\]|[^.\[]+")


def notes(root: Mapping, config: Config) -> Iterator[Problem]:
    """Yield a warning for each note on the settings, at the line of the key that it is about."""
    for where, settings in _blocks(config):
        node = _at(root, where)
        if node is None:
            continue
        found = settings.notes()
        if isinstance(settings, TailSamplingSettings) and where[-1] in config.service.pipelines.traces.processors:
            found += remarks_on_attributes(settings, config.milvus)
        elif isinstance(settings, MilvusSettings) and config.tail_sampling is not None:
            found += _beside_sampling(settings)
        elif isinstance(settings, LogSamplingSettings) and config.tail_sampling is not None:
            found += _on_forgotten_decisions(config.tail_sampling)
        for note in found:
            path, _, message = note.partition(": ")
            yield Problem(place_of(node, path), f"{'.'.join(where)}.{path}", message)


def notes_on_rules(rules: Node, settings: TailSamplingSettings, milvus: MilvusSettings | None) -> Iterator[Problem]:
    """Likewise for rules alone."""
    for note in (*settings.notes(), *remarks_on_attributes(settings, milvus)):
        path, _, message = note.partition(": ")
        yield Problem(place_of(rules, path), f"tail_sampling.{path}", message)


def _blocks(config: Config) -> Iterator[tuple[tuple[str, ...], Settings]]:
    """Yield every block that may have notes, and where in the YAML it is."""
    for section in SECTIONS:
        for name, settings in getattr(config, section).items():
            yield (section, name), settings


def _at(root: Mapping, where: tuple[str, ...]) -> Node | None:
    node: Node | None = root
    for key in where:
        node = node.get(key) if isinstance(node, Mapping) else None
    return node


def _beside_sampling(settings: MilvusSettings) -> Iterator[str]:
    if "wait_duration" in settings.model_fields_set:
        yield "wait_duration: means nothing beside tail_sampling, whose decision_wait is how long traces wait"


def _on_forgotten_decisions(sampling: TailSamplingSettings) -> Iterator[str]:
    for key in ("sampled_cache_size", "non_sampled_cache_size"):
        if not getattr(sampling.decision_cache, key):
            yield (
                f"unknown_trace: is what decides over records of such traces, because decision_cache.{key} of tail_sampling is 0, "
                "so that no such decision is remembered"
            )


def place_of(node: Node, path: str) -> Place:
    """Return where the setting at a dotted path is written; of one that is not, where the block around it begins."""
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
