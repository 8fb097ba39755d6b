"""A file that holds the block of `tail_sampling` and nothing else, for commands that need no more."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from milvus_otel_processor.config.nodes import Entry, Mapping, Node
from milvus_otel_processor.config.problems import ConfigError, Problem

if TYPE_CHECKING:
    from pathlib import Path

_SECTION, _PROCESSOR = "processors", "tail_sampling"
_RULES = "policies"


def rules_of(root: Node) -> Node | None:
    """Return the block of a file that holds it alone, by itself or under `tail_sampling`; None where it holds something else."""
    if not isinstance(root, Mapping):
        return None
    if root.entries.keys() == {_PROCESSOR}:
        return root.get(_PROCESSOR)
    return root if _RULES in root.entries and _SECTION not in root.entries else None


def with_rules(configuration: Node, rules: Node) -> Node:
    """Return a configuration with these rules in place of its own."""
    assert isinstance(configuration, Mapping)
    processors = configuration.get(_SECTION)
    assert isinstance(processors, Mapping)
    entry = Entry(rules.place, rules)
    processors = replace(processors, entries={**processors.entries, _PROCESSOR: entry})
    section = replace(configuration.entries[_SECTION], node=processors)
    return replace(configuration, entries={**configuration.entries, _SECTION: section})


def refused(rules: Node, path: Path) -> ConfigError:
    """Return the error of a command that needs a whole configuration."""
    message = (
        f"the file holds only rules, expected a whole configuration: save what `milvus-otel config` prints, and put "
        f"`tail_sampling: ${{file:{path.name}}}` under its processors"
    )
    return ConfigError([Problem(rules.place, "", message)])
