"""The demo's application as seen from the demo: started, watched by what it prints, ended."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

from milvus_otel_processor.demo.errors import DemoError
from milvus_otel_processor.demo.guarded import Guarded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_POLL_SECONDS = 0.1
_DEADLINE_SECONDS = 120.0
_LOG_TAIL_LINES = 15


class Progress(NamedTuple):
    """How far the application is."""

    doing: str
    operations: int
    failures: int


def run_application(
    uri: str, endpoint: str, folder: Path, environ: Mapping[str, str], on_progress: Callable[[Progress], None]
) -> Progress:
    """Run `workload.py` as a process of its own until it ends, and return how far it came: to its end.

    `endpoint` is where its traces go, `host:port`; `folder` is where its output goes. Raises DemoError when it fails or
    takes more than two minutes.
    """
    log = folder / "application.log"
    command = [sys.executable, "-m", "milvus_otel_processor.demo.workload", uri, endpoint]
    deadline = time.monotonic() + _DEADLINE_SECONDS
    with Guarded() as guarded:
        guarded.start(command, cwd=folder, env={**_environment(), **environ}, log=log)
        while (returncode := guarded.returncode()) is None:
            if time.monotonic() > deadline:
                raise DemoError(f"the application was not done within {_DEADLINE_SECONDS:g} s{_tail(log)}")
            if log.exists():
                on_progress(_latest(log))
            time.sleep(_POLL_SECONDS)
    if returncode != 0:
        raise DemoError(f"the application ended with status {returncode}{_tail(log)}")
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
