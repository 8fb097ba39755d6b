"""The text of the rules: where they stand, what is wrong with others, and how they are replaced."""

from __future__ import annotations

import difflib
import os
import re
import tempfile
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any

from milvus_otel_processor.config.builtin import default_config_path
from milvus_otel_processor.config.loader import load_rules
from milvus_otel_processor.config.problems import ConfigError

if TYPE_CHECKING:
    from milvus_otel_processor.config.problems import Problem
    from milvus_otel_processor.enrichment.settings import MilvusSettings
    from milvus_otel_processor.sampling.settings import TailSamplingSettings

SOURCE = "rules"
"""What stands for the file in messages about rules that came over HTTP."""
_INCLUDED = re.compile(r"^( *)tail_sampling(?:/\S+)?: *\$\{file:([^}]+)\} *(?:#.*)?$", re.MULTILINE)
_INLINE = re.compile(r"^( *)tail_sampling(?:/\S+)?: *(?:#.*)?$", re.MULTILINE)


def rules_file(config: Path | None) -> Path | None:
    """Return the file of its own that the rules of a configuration are in, where they are."""
    path = config or default_config_path()
    try:
        found = _INCLUDED.search(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return None
    return path.parent / found[2] if found else None


def rules_text(config: Path | None) -> str:
    """Return the rules as they stand in their file, or in the configuration; empty where they cannot be found."""
    own = rules_file(config)
    try:
        if own is not None:
            return own.read_text(encoding="utf-8")
        text = (config or default_config_path()).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
    found = _INLINE.search(text)
    if found is None:
        return ""
    lines = []
    for line in text[found.end() + 1 :].splitlines(keepends=True):
        if line.strip() and not line.startswith(found[1] + " "):
            break
        lines.append(line)
    return dedent("".join(lines)).rstrip() + "\n"


def looked_at(
    text: str, before: str, milvus: MilvusSettings | None
) -> tuple[TailSamplingSettings | None, dict[str, Any]]:
    """Return the settings that a text means, if it is right; and what is wrong with it, with the difference from `before`."""
    settings, problems = None, []
    try:
        settings, warnings = load_rules(text, SOURCE, milvus)
        problems = [_as_dict("warning", problem) for problem in warnings]
    except ConfigError as error:
        problems = [_as_dict("error", problem) for problem in error.problems]
    diff = difflib.unified_diff(before.splitlines(), text.splitlines(), "in force", "tried", lineterm="")
    return settings, {"valid": settings is not None, "problems": problems, "diff": "\n".join(diff)}


def _as_dict(severity: str, problem: Problem) -> dict[str, Any]:
    return {
        "severity": severity,
        "line": problem.place.line,
        "column": problem.place.column,
        "path": problem.path,
        "message": problem.message,
        "text": str(problem),
    }


def why_not_writable(file: Path | None, config: Path | None, *, allowed: bool) -> str | None:
    """Say why the rules cannot be written; None where they can."""
    if not allowed:
        return "service.telemetry.page.apply_rules is not set"
    if config is None or file is None:
        return "the rules are not in a file of their own: `tail_sampling: ${file:sampling.yaml}`"
    if not os.access(file, os.W_OK):
        return f"{file} cannot be written by the processor"
    return None


def write(file: Path, text: str) -> None:
    """Replace the file's text, whole or not at all where its folder can be written to. Raises OSError."""
    if not os.access(file.parent, os.W_OK) or file.is_symlink():
        file.write_text(text, encoding="utf-8")
        return
    mode = file.stat().st_mode & 0o777
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as temporary:
            temporary.write(text)
            temporary.flush()
            os.fsync(temporary.fileno())
        Path(name).chmod(mode)
        Path(name).replace(file)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
