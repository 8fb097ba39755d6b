"""The same tests with each line of pymilvus that is supported; the newest is the one of the project's own environment.

Environments are made by uv on first use, under the user's cache, with the project's pins apart from pymilvus.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "milvus-otel" / "client-versions"
VERSIONS = ("2.5.18", "2.6.17")
_TESTS = (
    "client/tests/test_futures.py",
    "client/tests/test_lifecycle.py",
    "client/tests/test_operations.py",
    "client/tests/test_propagation.py",
    "tests/client_e2e/test_every_operation.py",
    "tests/client_e2e/test_failures.py",
    "tests/client_e2e/test_orm.py",
    "tests/client_e2e/test_traces.py",
)
_SKIP_THE_OTHER_STYLE = "not client_is_one_joined_operation or keyword"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("version", VERSIONS)
def test_the_client_works_with_pymilvus(version: str) -> None:
    if shutil.which("uv") is None:
        if os.environ.get("CI"):
            pytest.fail("uv is not there to make environments with")
        pytest.skip("uv is not there to make environments with")
    python = _environment(version)
    done = subprocess.run(
        [python, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider", "-k", _SKIP_THE_OTHER_STYLE, *_TESTS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def _environment(version: str) -> Path:
    folder = CACHE / version
    python = folder / "bin" / "python"
    pins = [pin for pin in _pins() if not pin.startswith("pymilvus==")]
    packages = ["opentelemetry-instrumentation-grpc", "pytest", "pytest-timeout", f"pymilvus=={version}"]
    stamp = folder / "made-from.json"
    made_from = [str(ROOT), *packages, *pins]
    if stamp.exists() and json.loads(stamp.read_text(encoding="utf-8")) == made_from:
        return python
    folder.mkdir(parents=True, exist_ok=True)
    constraints = folder.with_suffix(".constraints")
    constraints.write_text("\n".join(pins), encoding="utf-8")
    subprocess.run(["uv", "venv", "--quiet", "--clear", folder], check=True, cwd=CACHE)
    members = ["-e", str(ROOT / "client"), "-e", f"{ROOT / 'processor'}[demo]"]
    install = ["uv", "pip", "install", "--quiet", "--python", str(python), "--constraint", str(constraints)]
    subprocess.run([*install, *members, *packages], check=True, cwd=CACHE)
    stamp.write_text(json.dumps(made_from), encoding="utf-8")
    return python


def _pins() -> list[str]:
    pins: list[str] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["uv"][
        "constraint-dependencies"
    ]
    return pins
