"""The same tests with each line of pymilvus that is supported; the newest is the one of the project's own environment.

Environments are made by uv on first use, outside the tree, with the project's pins apart from pymilvus.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.peers.cache import built, fingerprint
from tests.peers.missing import require_command

ROOT = Path(__file__).resolve().parents[2]
VERSIONS = ("2.5.18", "2.6.17")
_TESTS = (
    "client/tests/test_beside_the_application.py",
    "client/tests/test_connecting.py",
    "client/tests/test_futures.py",
    "client/tests/test_lifecycle.py",
    "client/tests/test_messages.py",
    "client/tests/test_operations.py",
    "client/tests/test_propagation.py",
    "client/tests/test_rpc.py",
    "tests/client_e2e/test_every_operation.py",
    "tests/client_e2e/test_failures.py",
    "tests/client_e2e/test_orm.py",
    "tests/client_e2e/test_traces.py",
)
_TOOLS = ("hypothesis", "opentelemetry-instrumentation-grpc", "pytest", "pytest-timeout", "pytest-xdist")
_SKIP_THE_OTHER_STYLE = "not client_is_one_joined_operation or keyword"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("version", VERSIONS)
def test_the_client_works_with_pymilvus(version: str) -> None:
    python = environment(version)
    # In one process: beside this one other tests run already.
    options = ["-q", "-n0", "--tb=short", "-p", "no:cacheprovider", "-k", _SKIP_THE_OTHER_STYLE]
    done = subprocess.run(
        [python, "-m", "pytest", *options, *_TESTS], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def environment(version: str) -> Path:
    """The Python of an environment that has this `version` of pymilvus and, from this checkout, client and processor."""
    uv = require_command("uv", "an environment with another pymilvus")
    pins = [pin for pin in _pins() if not pin.startswith("pymilvus==")]
    packages = [*_TOOLS, f"pymilvus=={version}"]

    def build(folder: Path) -> None:
        constraints = folder / "constraints.txt"
        constraints.write_text("\n".join(pins), encoding="utf-8")
        venv = folder / "venv"
        members = ["-e", str(ROOT / "client"), "-e", f"{ROOT / 'processor'}[demo]"]
        install = [uv, "pip", "install", "--quiet", "--constraint", str(constraints)]
        subprocess.run([uv, "venv", "--quiet", "--relocatable", venv], check=True, cwd=folder)
        target = ["--python", str(venv / "bin" / "python")]
        subprocess.run([*install, *target, *members, *packages], check=True, cwd=folder)

    key = fingerprint(str(ROOT), sys.version, *packages, *pins)
    return built(f"client-with-pymilvus-{version}", key, "a minute", build) / "venv" / "bin" / "python"


def _pins() -> list[str]:
    pins: list[str] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["uv"][
        "constraint-dependencies"
    ]
    return pins
