"""The demo's applications as seen from the demo: started, watched by what they print, ended."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING

from milvus_otel_processor.demo.dataset import Progress
from milvus_otel_processor.demo.errors import DemoError
from milvus_otel_processor.demo.guarded import Guarded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_POLL_SECONDS = 0.1
_DEADLINE_SECONDS = 120.0
_LOG_TAIL_LINES = 15


def run_application(
    module: str,
    arguments: Sequence[str],
    folder: Path,
    environ: Mapping[str, str],
    on_progress: Callable[[Progress], None],
) -> Progress:
    """Run a module of this package as a process of its own until it ends, and return how far it came: to its end.

    `folder` is where its output goes, `environ` what it gets beside this process' environment. Raises DemoError when it fails
    or takes more than two minutes.
    """
    log = folder / f"{module}.log"
    command = [sys.executable, "-m", f"milvus_otel_processor.demo.{module}", *arguments]
    deadline = time.monotonic() + _DEADLINE_SECONDS
    with Guarded() as guarded:
        guarded.start(command, cwd=folder, env={**_environment(), **environ}, log=log)
        while (returncode := guarded.returncode()) is None:
            if time.monotonic() > deadline:
                raise DemoError(f"the application {module} was not done within {_DEADLINE_SECONDS:g} s{_tail(log)}")
            if log.exists():
                on_progress(_latest(log))
            time.sleep(_POLL_SECONDS)
    if returncode != 0:
        raise DemoError(f"the application {module} ended with status {returncode}{_tail(log)}")
    return _latest(log)


def _environment() -> dict[str, str]:
    """Return this process' environment without what would send the application's traces or calls elsewhere."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OTEL_", "MILVUS_")) and not name.lower().endswith("_proxy")
    }


def _latest(log: Path) -> Progress:
    latest = Progress("starting", 0, 0)
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            latest = Progress(**json.loads(line))
        except (ValueError, TypeError):
            continue  # not told by the application, but printed by a library or not written to its end yet
    return latest


def _tail(log: Path) -> str:
    if not log.exists():
        return ""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "; the end of its output:\n" + "\n".join(lines[-_LOG_TAIL_LINES:])
