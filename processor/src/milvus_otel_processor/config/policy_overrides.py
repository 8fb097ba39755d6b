"""``--policy NAME.key=value``: one value of one policy, over what the file says, without its whole list written anew."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from milvus_otel_processor.config.listed import component_type
from milvus_otel_processor.config.nodes import Entry, Mapping, Node, Scalar, Sequence, read_yaml
from milvus_otel_processor.config.overrides import override
from milvus_otel_processor.config.problems import ConfigError, Place, Problem, did_you_mean, one_of, shown
from milvus_otel_processor.sampling.policies.base import BLOCKS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_HEAD = frozenset({"name", "type", "mode", *BLOCKS})
"""The keys that stand directly in a policy; any other is one of the block that its type names."""

_Path = tuple[str | int, ...]


class NamedPolicy(NamedTuple):
    """A policy with a name, and the way to it from the root of the file."""

    name: str
    path: _Path
    node: Mapping


def override_policy(root: Node, argument: str, substitute: Callable[[Node], Node]) -> Node:
    """Return the tree with the value in the policy that the argument of one ``--policy`` names. Raises ConfigError.

    The key is one of the block of the policy's type, or a path from the policy on: `slow.threshold_ms` is
    `slow.latency.threshold_ms`. Policies inside of others are named likewise.
    """
    key, equals, text = argument.partition("=")
    key = key.strip()
    place = Place(f"--policy {key}")
    if not equals:
        raise ConfigError([Problem(place, "", "has no value, expected --policy NAME.key=value")])
    policy = _policy(list(policies(root)), key, place)
    keys = key[len(policy.name) + 1 :].split(".")
    if not all(keys):
        raise ConfigError([Problem(place, "", "has an empty key, expected --policy NAME.key=value")])
    type_ = policy.node.get("type")
    if keys[0] not in _HEAD and isinstance(type_, Scalar):
        keys.insert(0, str(type_.value))
    value = substitute(read_yaml(text.strip(), "", at=place))
    return _replaced(root, policy.path, override(policy.node, keys, value))


def _policy(named: list[NamedPolicy], key: str, place: Place) -> NamedPolicy:
    found = [policy for policy in named if key.startswith(f"{policy.name}.")]
    if not found:
        names = list(dict.fromkeys(policy.name for policy in named))
        name = key.partition(".")[0]
        expected = one_of(names) if names else "there is no policy with a name"
        message = f"there is no policy {shown(name)}, {expected}{did_you_mean(name, names)}"
        raise ConfigError([Problem(place, "", message)])
    longest = max(len(policy.name) for policy in found)
    meant = [policy for policy in found if len(policy.name) == longest]
    least = min(
        len(policy.path) for policy in meant
    )  # one directly under `policies` goes before those inside of others
    meant = [policy for policy in meant if len(policy.path) == least]
    if len(meant) > 1:
        places = ", ".join(str(policy.node.place) for policy in meant)
        raise ConfigError([Problem(place, "", f"{shown(meant[0].name)} is the name of several policies: {places}")])
    return meant[0]


def policies(root: Node) -> Iterator[NamedPolicy]:
    """Yield the policies with a name in the `tail_sampling` blocks, at any depth."""
    processors = root.get("processors") if isinstance(root, Mapping) else None
    for name, entry in processors.entries.items() if isinstance(processors, Mapping) else ():
        if component_type(name) == "tail_sampling":
            yield from _named(entry.node, ("processors", name))


def _named(node: Node, path: _Path) -> Iterator[NamedPolicy]:
    if isinstance(node, Mapping):
        name = node.get("name")
        if isinstance(name, Scalar) and name.value not in (None, "") and "type" in node.entries:
            yield NamedPolicy(str(name.value), path, node)
        for key, entry in node.entries.items():
            yield from _named(entry.node, (*path, key))
    elif isinstance(node, Sequence):
        for index, item in enumerate(node.items):
            yield from _named(item, (*path, index))


def _replaced(node: Node, path: _Path, value: Node) -> Node:
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(node, Sequence) and isinstance(step, int):
        items = list(node.items)
        items[step] = _replaced(items[step], rest, value)
        return replace(node, items=tuple(items))
    assert isinstance(node, Mapping)
    entry = node.entries[str(step)]
    changed = Entry(entry.key_place, _replaced(entry.node, rest, value))
    return replace(node, entries={**node.entries, str(step): changed})
