"""`milvus-otel replay`, as a program calls it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from click.testing import CliRunner
from milvus_otel_processor.cli import main

if TYPE_CHECKING:
    from pathlib import Path


def replayed(file: Path, *arguments: str) -> dict[str, Any]:
    """The JSON document of a replay that has to succeed."""
    result = CliRunner().invoke(main, ["replay", str(file), "--format", "json", *arguments])
    assert result.exit_code == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document
