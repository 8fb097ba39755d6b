"""Which components the pipelines list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milvus_otel_processor.config.nodes import Mapping, Scalar, Sequence

if TYPE_CHECKING:
    from milvus_otel_processor.config.nodes import Node

TRACES, LOGS, SERVICE = "service.pipelines.traces", "service.pipelines.logs", "service"
"""Where components are listed: under a section's name, in a pipeline, or, of extensions, in the service."""


def component_type(component_id: str) -> str:
    """Return the `type` of an id, which is `type` or `type/name`."""
    return component_id.partition("/")[0]


def listed(root: Mapping, where: str, section: str) -> list[Scalar]:
    """Return the ids that are listed there."""
    node = _at(root, f"{where}.{section}")
    return [item for item in node.items if isinstance(item, Scalar)] if isinstance(node, Sequence) else []


def is_switched_off(root: Mapping, where: str) -> bool:
    """Tell whether a pipeline is named, and nothing stands there."""
    node = _at(root, where)
    if isinstance(node, Mapping):
        return not node.entries
    return isinstance(node, Scalar) and node.value in (None, "")


def _at(root: Mapping, path: str) -> Node | None:
    node: Node | None = root
    for key in path.split("."):
        node = node.get(key) if isinstance(node, Mapping) else None
    return node
