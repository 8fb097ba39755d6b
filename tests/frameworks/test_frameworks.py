"""Frameworks on top of pymilvus, each in an environment of its own, against Milvus Lite.

Environments are made by uv on first use, outside the tree, from the pins in `requirements/`. To move one on, install its
package into an empty environment beside `milvus-lite` and the client, and write what
`uv pip freeze --exclude-editable` says into its file.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.peers.cache import built, fingerprint
from tests.peers.missing import require_command

HERE = Path(__file__).parent
CLIENT = HERE.parents[1] / "client"
FRAMEWORKS = {
    "langchain": {"create_collection books": 1, "insert books": 1, "search books": 1},
    "llama_index": {"create_collection books": 1, "insert books": 1, "search books": 1},
    "haystack": {"create_collection books": 1, "insert books": 1, "search books": 1},
    "mem0": {"create_collection books": 1, "insert books": 3, "search books": 2},
}
"""What each application asks of Milvus, beside looking at what is there."""
_ABOUT_THE_COLLECTION = {"has_collection", "describe_collection", "list_collections", "get_load_state"}
_ABOUT_ITS_INDEXES = {"list_indexes", "describe_index", "create_index", "load_collection"}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", FRAMEWORKS)
def test_a_framework_finds_the_same_and_each_of_its_requests_is_one_span(name: str, tmp_path: Path) -> None:
    told = _run(name, tmp_path)
    assert len(told["plain"]) == 2
    assert told["traced"] == told["plain"]
    (application,) = [span for span in told["spans"] if span["name"] == "application"]
    operations = [span for span in told["spans"] if span["is_operation"]]
    names = [span["name"] for span in operations]
    assert {what: names.count(what) for what in FRAMEWORKS[name]} == FRAMEWORKS[name]
    others = {what.partition(" ")[0] for what in names if what not in FRAMEWORKS[name]}
    assert others <= {"connect"} | _ABOUT_THE_COLLECTION | _ABOUT_ITS_INDEXES
    assert {span["parent"] for span in operations} == {application["id"]}
    rpcs = [span for span in told["spans"] if span["name"].startswith("/")]
    assert {span["parent"] for span in rpcs} <= {span["id"] for span in operations}
    assert {span["is_in_trace"] for span in told["spans"]} == {True}
    assert [span["name"] for span in told["spans"] if span["status"] == "ERROR"] == []


def _run(name: str, folder: Path) -> dict[str, Any]:
    done = subprocess.run(
        [environment(name), "-W", "ignore", HERE / "traced.py", HERE / "apps" / f"{name}.py", folder],
        env=os.environ | {"MEM0_TELEMETRY": "False", "MEM0_DIR": str(folder), "HAYSTACK_TELEMETRY_ENABLED": "False"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-6000:]
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def environment(name: str) -> Path:
    """The Python of an environment that has the framework, Milvus Lite and, from this checkout, the client."""
    uv = require_command("uv", f"an environment with {name}")
    pins = (HERE / "requirements" / f"{name}.txt").read_text(encoding="utf-8")

    def build(folder: Path) -> None:
        requirements = folder / "requirements.txt"
        requirements.write_text(pins, encoding="utf-8")
        venv = folder / "venv"
        subprocess.run(
            [uv, "venv", "--quiet", "--relocatable", "--python", sys.executable, venv], check=True, cwd=folder
        )
        install: list[str | Path] = [
            uv,
            "pip",
            "install",
            "--quiet",
            "--python",
            venv / "bin" / "python",
            "--requirement",
            requirements,
        ]
        subprocess.run([*install, "-e", CLIENT], check=True, cwd=folder)

    key = fingerprint(str(CLIENT), sys.version, pins)
    return built(f"client-with-{name}", key, "half a minute", build) / "venv" / "bin" / "python"
