"""Runs pymilvus' own unit tests without and with the instrumentation: `uv run python -m tests.pymilvus_suite CHECKOUT …`.

A CHECKOUT is a clone of pymilvus' repository at the version to try; nothing in it is changed. An environment with that
version, what its tests need, and the client of this checkout is made by uv in a temporary folder. Prints what each test
that differs did without and with the instrumentation, and a line with the figures; ends with 1 if any differs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = Path(__file__).with_name("outcomes.py")
TOOLS = (
    "pytest",
    "pytest-asyncio",
    "pytest-cov",
    "pytest-timeout",
    "pytest-xdist",
    "requests",
    "scipy",
    "grpcio-testing",
)
"""What the tests of one version or another import, or have in their settings."""


def environment(checkout: Path, folder: Path) -> Path:
    """Make the environment; return its Python."""
    venv = folder / "venv"
    python = venv / "bin" / "python"
    # pymilvus' build asks git for the version: a copy, so that the checkout stays as it is
    source = folder / "source"
    subprocess.run(["git", "-c", "advice.detachedHead=false", "clone", "--quiet", checkout, source], check=True)
    subprocess.run(["uv", "venv", "--quiet", "--python", sys.executable, venv], check=True, cwd=folder)
    constraint = folder / "build.txt"
    constraint.write_text("setuptools-scm<9\n", encoding="utf-8")  # what pymilvus 2.5 builds with
    packages = [f"{source}[bulk_writer]", "-e", str(ROOT / "client"), *TOOLS]
    install: list[str | Path] = ["uv", "pip", "install", "--quiet", "--python", python]
    subprocess.run([*install, "--build-constraints", constraint, *packages], check=True, cwd=folder)
    return python


def outcomes(python: Path, source: Path, *, traced: bool) -> dict[str, str]:
    """Run the tests; return what each of them did."""
    unit = source / "tests" / "unit"
    tests = unit if unit.is_dir() else source / "tests"
    told = source.parent / ("traced.json" if traced else "plain.json")
    options = [
        "-q",
        "-p",
        "outcomes",
        "-p",
        "no:cacheprovider",
        "--tb=no",
        "-o",
        "addopts=",
        "--continue-on-collection-errors",
    ]
    done = subprocess.run(
        [python, "-W", "ignore", "-m", "pytest", *options, tests],
        cwd=source,
        env=os.environ
        | {"PYTHONPATH": f"{source}:{PLUGIN.parent}", "OUTCOMES": str(told), "TRACED": "true" if traced else "false"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in (0, 1) or not told.exists():
        raise SystemExit(f"pytest did not run:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
    found: dict[str, str] = json.loads(told.read_text(encoding="utf-8"))
    return found


def compare(checkout: Path) -> bool:
    """Print how a version's tests do without and with the instrumentation; return whether all do the same."""
    with tempfile.TemporaryDirectory(prefix="pymilvus-") as name:
        folder = Path(name)
        python = environment(checkout, folder)
        source = folder / "source"
        plain = outcomes(python, source, traced=False)
        traced = outcomes(python, source, traced=True)
        ask = "import importlib.metadata as metadata; print(metadata.version('pymilvus'))"
        version = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True).stdout.strip()
    different = sorted(test for test in plain | traced if plain.get(test) != traced.get(test))
    for test in different:
        sys.stdout.write(f"{test}: {plain.get(test)} without, {traced.get(test)} with the instrumentation\n")
    same = len(plain) - len(different)
    told = [
        ", ".join(f"{count} {what}" for what, count in sorted(Counter(by.values()).items())) for by in (plain, traced)
    ]
    sys.stdout.write(f"pymilvus {version}: without {told[0]}; with {told[1]}; {same} of {len(plain)} the same\n")
    sys.stdout.flush()
    return not different


def main() -> int:
    """Compare each checkout; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.pymilvus_suite", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("checkout", type=Path, nargs="+", help="a clone of pymilvus' repository, at a version's tag")
    checkouts: list[Path] = parser.parse_args().checkout
    for checkout in checkouts:
        if not (checkout / "pymilvus").is_dir() or not (checkout / "tests").is_dir():
            parser.error(f"{checkout}: expected a clone of pymilvus' repository, with its folders pymilvus and tests")
    answers = [compare(checkout) for checkout in checkouts]
    return 0 if all(answers) else 1


if __name__ == "__main__":
    raise SystemExit(main())
