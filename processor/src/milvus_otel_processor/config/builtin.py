"""The configuration that is built in: `default.yaml`, and its rules in `sampling.yaml`."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import indent
from typing import Literal

SchemaOf = Literal["config", "rules", "tests"]
"""What there is a JSON Schema of: a whole configuration, the block of `tail_sampling` alone, a file for `milvus-otel test`."""

_OWN_SCHEMA = re.compile(r"\A# yaml-language-server: .*\n")
_INCLUDE = re.compile(r"^( *)(\S+:) \$\{file:([^}]+)\}$", re.MULTILINE)


def default_config_path() -> Path:
    """Return the built-in configuration; its rules are in `sampling.yaml` beside it."""
    return Path(__file__).with_name("default.yaml")


def schema_path(of: SchemaOf) -> Path:
    """Return the file with a JSON Schema, written by `schema.py`."""
    return Path(__file__).with_name(f"{of}.schema.json")


def default_config_text() -> str:
    """Return the built-in configuration as one YAML text, comments included, with its rules in place."""
    path = default_config_path()

    def included(match: re.Match[str]) -> str:
        content = _OWN_SCHEMA.sub("", path.with_name(match[3]).read_text(encoding="utf-8"))
        return f"{match[1]}{match[2]}\n" + indent(content, f"{match[1]}  ").rstrip()

    return _INCLUDE.sub(included, path.read_text(encoding="utf-8"))
