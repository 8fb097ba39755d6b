"""Completes `--policy`: the names of the policies in force for a command line, each with the keys that can be set."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, get_args

if TYPE_CHECKING:
    from collections.abc import Iterator

    import click

    from milvus_otel_processor.config.nodes import Node


def complete(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Return what begins so, as `NAME.key=`; nothing where the configuration cannot be read."""
    from milvus_otel_processor.config.problems import ConfigError  # noqa: PLC0415 - to parse a command line needs no YAML

    path = context.params.get("path")
    try:
        found = list(_settable(_tree(path if isinstance(path, Path) else None)))
    except (ConfigError, OSError):
        return []
    return [one for one in dict.fromkeys(found) if one.startswith(incomplete)]


def _tree(path: Path | None) -> Node:
    from milvus_otel_processor.config.builtin import default_config_path  # noqa: PLC0415 - as above
    from milvus_otel_processor.config.rules_alone import rules_of, with_rules  # noqa: PLC0415 - likewise
    from milvus_otel_processor.config.substitution import Substitution  # noqa: PLC0415 - likewise

    substitution = Substitution(os.environ, lambda _: None, None)
    root = substitution.file(path or default_config_path())
    alone = rules_of(root) if path is not None else None
    if alone is None:
        return root
    substitution.rules = alone  # so that the built-in ones are not read
    return with_rules(substitution.file(default_config_path()), alone)


def _settable(root: Node) -> Iterator[str]:
    from milvus_otel_processor.config.nodes import Scalar  # noqa: PLC0415 - as above
    from milvus_otel_processor.config.policy_overrides import policies  # noqa: PLC0415 - likewise

    for policy in policies(root):
        type_ = policy.node.get("type")
        for key in _keys(str(type_.value) if isinstance(type_, Scalar) else ""):
            yield f"{policy.name}.{key}="


def _keys(type_: str) -> Iterator[str]:
    """Yield the keys of the block that a type of policy has, if it has one."""
    from pydantic import BaseModel  # noqa: PLC0415 - as above

    from milvus_otel_processor.sampling.policies import PolicySettings  # noqa: PLC0415 - likewise

    for model in PolicySettings.__subclasses__():
        block = model.model_fields.get(type_)
        if block is not None and type_ in get_args(model.model_fields["type"].annotation):
            settings = block.annotation
            if isinstance(settings, type) and issubclass(settings, BaseModel):
                yield from settings.model_fields
