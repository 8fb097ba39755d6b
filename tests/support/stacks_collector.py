"""The stack's own configuration of the Collector, for a Collector that runs on this machine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.peers.process import free_port

CONFIGURATION = Path(__file__).parents[2] / "collector" / "config.yaml"


def settings(folder: Path, processor: str, *, door: int | None = None) -> dict[str, Any]:
    """Return it with addresses and folders of this machine; OTLP over gRPC is taken at the port `door`, or a free one."""
    text = CONFIGURATION.read_text(encoding="utf-8").replace("processor:4317", processor)
    for there in ("/var/lib/otelcol", "/var/log/applications", "/var/log/milvus"):
        here = folder / Path(there).name
        here.mkdir(exist_ok=True)
        text = text.replace(there, str(here))
    text = text.replace("0.0.0.0:4317", f"127.0.0.1:{door or free_port()}")
    text = re.sub(r"0\.0\.0\.0:\d+", lambda _: f"127.0.0.1:{free_port()}", text)
    found: dict[str, Any] = YAML(typ="safe").load(text)
    found["service"]["extensions"].remove("health_check")  # the tests' Collector has one of its own
    return found
