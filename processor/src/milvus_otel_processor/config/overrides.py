"""``--set key.path=value``: one value of the configuration, over what the file says.

As the Collector's: the value is YAML, a mapping is joined with the one that is there, anything else replaces it, a list
as a whole. Unlike there, it also reaches what a ``${file:}`` brought in.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from milvus_otel_processor.config.nodes import Entry, Mapping, Node, Sequence, is_null, read_yaml
from milvus_otel_processor.config.problems import ConfigError, Place, Problem

if TYPE_CHECKING:
    from collections.abc import Callable


def read_override(argument: str, substitute: Callable[[Node], Node]) -> tuple[list[str], Node]:
    """Return the keys and the value that the argument of one ``--set`` names. Raises ConfigError."""
    key, equals, text = argument.partition("=")
    keys = key.strip().replace("::", ".").split(".")
    place = Place(f"--set {key.strip()}")
    if not equals:
        raise ConfigError([Problem(place, "", "has no value, expected --set key.path=value")])
    if not all(keys):
        raise ConfigError([Problem(place, "", "has an empty key, expected --set key.path=value")])
    try:
        return keys, substitute(read_yaml(text.strip(), "", at=place))
    except ConfigError as error:
        # Which it is, the key says; the value may be a secret.
        hint = "in the value; put quotes around text that is not YAML"
        raise ConfigError(
            [replace(problem, message=f"{problem.message}, {hint}") for problem in error.problems]
        ) from None


def override(node: Node, keys: list[str], value: Node) -> Node:
    """Return the tree with `value` at the path `keys`, which is created where it is missing. Raises ConfigError."""
    for key in reversed(keys):
        value = Mapping({key: Entry(value.place, value)}, value.place)
    return _joined(node, value, [])


def _joined(below: Node, above: Node, path: list[str]) -> Node:
    if not isinstance(above, Mapping) or is_null(below):
        return above
    if not isinstance(below, Mapping):
        what = "a list, which --set replaces as a whole" if isinstance(below, Sequence) else "a single value"
        message = f"goes into a value that is not a mapping: {below.place} has {what}"
        raise ConfigError([Problem(above.place, ".".join(path), message)])
    entries = dict(below.entries)
    for key, entry in above.entries.items():
        old = entries.get(key)
        entries[key] = Entry(entry.key_place, _joined(old.node, entry.node, [*path, key])) if old else entry
    return Mapping(entries, below.place)
