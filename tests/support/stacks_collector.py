"""The stack's own configuration of the Collector, for a Collector that runs on this machine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from tests.peers.process import free_port

if TYPE_CHECKING:
    from collections.abc import Mapping

COLLECTOR = Path(__file__).parents[2] / "collector"


def text_of(file: str, folder: Path, addresses: Mapping[str, str]) -> str:
    """Return a file of the stack's with these addresses, free ports for all others, and its folders in `folder`."""
    text = (COLLECTOR / file).read_text(encoding="utf-8")
    for there in ("/var/lib/otelcol", "/var/log/applications", "/var/log/milvus"):
        here = folder / Path(there).name
        here.mkdir(exist_ok=True)
        text = text.replace(there, str(here))
    for there, address in addresses.items():
        text = text.replace(there, address)
    return re.sub(r"0\.0\.0\.0:\d+", lambda _: f"127.0.0.1:{free_port()}", text)


def settings(folder: Path, addresses: Mapping[str, str]) -> dict[str, Any]:
    """Return config.yaml so, for the tests' Collector, which has a `health_check` of its own."""
    found: dict[str, Any] = YAML(typ="safe").load(text_of("config.yaml", folder, addresses))
    found["service"]["extensions"].remove("health_check")
    return found
