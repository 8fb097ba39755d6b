"""Small stand-ins for the programs that build parts, and a cache that has nothing yet: a machine at its first test run."""

import os
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.peers import cache


class Machine:
    """A machine whose cache is empty; `program` puts a shell script on its PATH in the place of a program."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.cache = folder / "cache"
        self._programs = folder / "programs"
        self._programs.mkdir()
        self._calls = folder / "calls"
        patch.setattr(cache, "uncaptured", nullcontext)  # nothing is really built, so nothing is shown on the terminal
        patch.setenv("MILVUS_OTEL_CACHE", str(self.cache))
        patch.setenv("PATH", f"{self._programs}:{os.environ['PATH']}")

    def program(self, name: str, script: str) -> None:
        """Let `name` be this script of sh; it can read `$FOLDER`, this machine's folder."""
        path = self._programs / name
        path.write_text(
            f'#!/bin/sh\nset -eu\nFOLDER="{self.folder}"\necho "{name} $*" >> "{self._calls}"\n{script}\n',
            encoding="utf-8",
        )
        path.chmod(0o755)

    def calls(self) -> list[str]:
        """The command lines so far, in order."""
        return self._calls.read_text(encoding="utf-8").splitlines() if self._calls.exists() else []

    def kept(self) -> set[str]:
        """What is in the cache, without locks."""
        return {path.name for path in self.cache.iterdir() if path.suffix != ".lock"}
