"""Go programs that no registry has ready-made, built static from their modules."""

import json
import os
import shutil
import subprocess
from pathlib import Path

from tests.peers.missing import missing, require_command

STATIC = {"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false", "GOWORK": "off"}
"""Static, so that a stand-in for an image made `FROM scratch` can hold the program; a module's go.work names folders that the
module proxy leaves out."""


def go(*arguments: str, cwd: Path) -> str:
    """Run `go` with `arguments` in `cwd` and return what it printed; a failure carries the end of its errors.

    A toolchain that is too old for the module downloads nothing here: GOTOOLCHAIN=local makes it say so.
    """
    command = [require_command("go", "building " + cwd.name), *arguments]
    environment = {**os.environ, **STATIC, "GOTOOLCHAIN": "local"}
    result = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        raise RuntimeError(f"{' '.join(command)} exited with {result.returncode}:\n{result.stderr[-4000:]}")
    return result.stdout


def require_go() -> None:
    """Skip (under CI fail) the calling test where Go is not installed."""
    require_command("go", "a part built from Go modules")


def build_module(module: str, version: str, package: str, target: Path, *, tags: str = "") -> None:
    """Build `package` of `module@version` into the file `target`, with these build tags.

    From a copy of the module's folder, because `go install` refuses modules whose go.mod has replace directives.
    """
    work = target.parent / "src"
    downloaded = json.loads(go("mod", "download", "-json", f"{module}@{version}", cwd=target.parent))
    if "Error" in downloaded:
        missing(f"{module}@{version} cannot be downloaded: {downloaded['Error']}")
    shutil.copytree(downloaded["Dir"], work)
    for path in [work, *work.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)  # the module cache is read-only
    go("build", "-trimpath", "-ldflags=-s -w", f"-tags={tags}", "-o", str(target), package, cwd=work)
    shutil.rmtree(work)
