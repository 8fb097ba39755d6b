"""What is accepted and means nothing, said as a warning at its place."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from milvus_otel_processor.config.nodes import Mapping, Sequence
from milvus_otel_processor.config.problems import Place, Problem
from milvus_otel_processor.sampling.settings import TailSamplingSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milvus_otel_processor.config.model import Config
    from milvus_otel_processor.config.nodes import Node

_STEP = re.compile(r"\[(\d+)\]|[^.\[]+")


def notes(root: Mapping, config: Config) -> Iterator[Problem]:
    """Yield a warning for each note of a `tail_sampling` processor, at the line of the key that it is about."""
    section = root.get("processors")
    for name, settings in config.processors.items():
        node = section.get(name) if isinstance(section, Mapping) else None
        if node is not None and isinstance(settings, TailSamplingSettings):
            for note in settings.notes():
                path, _, message = note.partition(": ")
                yield Problem(_place(node, path), f"processors.{name}.{path}", message)


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
