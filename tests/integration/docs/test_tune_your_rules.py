"""The README's chapter "Tune your rules", followed as it stands: each command is run, and says what is shown."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CHAPTER = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## Tune your rules\n")[2].partition("\n## ")[0]
BLOCKS = re.findall(r"^```(console)?\n(.*?)^```$", CHAPTER, re.MULTILINE | re.DOTALL)
CUT = "…"
SHIM = """\
#!/bin/sh
# `uv run milvus-otel …` in a checkout
shift 2
exec {python} -c "from milvus_otel_processor.cli import main; main(prog_name='milvus-otel')" "$@"
"""
EXCEEDED = 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout, as far as the chapter reads it, with `uv` in front of the path."""
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "compose", folder / "compose")
    (folder / "tests").symlink_to(ROOT / "tests")
    shim = folder / "bin" / "uv"
    shim.parent.mkdir()
    shim.write_text(SHIM.format(python=sys.executable))
    shim.chmod(0o755)
    return folder


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environ = os.environ | {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
    return subprocess.run(["bash", "-c", command], cwd=folder, env=environ, capture_output=True, text=True, check=False)


def comparable(text: str) -> list[str]:
    """The lines that are not empty; what a policy took differs from run to run."""
    words = re.sub(r"[\d.,]+ ms *$", "… ms", text, flags=re.MULTILINE)
    words = re.sub("─+", "─", words)
    return [" ".join(line.split()) for line in words.splitlines() if line.strip()]


def parts(shown: str) -> list[list[str]]:
    """What is shown between the places where something is left out."""
    return [comparable(part) for part in re.split(rf"^{CUT}$", shown, flags=re.MULTILINE) if part.strip()]


def test_the_chapter_does_what_it_says_in_its_order(folder: Path) -> None:
    assert len(BLOCKS) >= 7
    for kind, block in BLOCKS:
        if not kind:
            done = run(block, folder)
            assert done.returncode == 0, done.stderr
            continue
        command, _, rest = block.removeprefix("$ ").partition("\n")
        while command.endswith("\\"):
            more, _, rest = rest.partition("\n")
            command = command[:-1] + more
        done = run(command, folder)
        assert done.returncode in ((EXCEEDED,) if "--fail-over" in command else (0,)), done.stderr
        said = comparable(done.stdout + done.stderr)
        at = 0
        for part in parts(rest):
            found = [place for place in range(at, len(said)) if said[place : place + len(part)] == part]
            assert found, f"{command}\nnot in this order in its output, from line {at} on:\n" + "\n".join(part)
            at = found[0] + len(part)
        assert at == len(said) or rest.rstrip().endswith(CUT) or "contract" in said[-1]
