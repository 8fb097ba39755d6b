"""A program that outlives the demo to clean up after it, however the demo ends.

Started by `guarded.py` as a script of its own, in a session of its own, so that neither Ctrl-C nor a kill of the demo's
process group reaches it. Its standard input is the demo's lifeline: the kernel closes it when the demo dies, of SIGKILL
too. It then kills the command it runs and removes the folder it made. Standard library only: it is run with `-I -S`.

The conversation, one JSON value a line:

1. out: the temporary folder's path, or null when no prefix was given as argument
2. in: `{"command": [...], "cwd": "...", "env": {...}, "log": "...", "litter": [...]}` starts the command; its output
   goes to `log`; `litter` are files that it leaves elsewhere: removed at the end where `{pid}` in the name, or the
   file's whole text, is the command's process id
3. out: the command's return code as `subprocess` has it, once it ended
4. in: seconds to wait between SIGTERM and SIGKILL; end of input means 0
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def _die_with_guardian() -> None:
    """Ask the kernel for SIGKILL when the guardian dies: run in the child, between fork and exec."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _say(value: object) -> None:
    # The demo may be gone: there is nobody to tell then, and the cleaning goes on.
    with contextlib.suppress(OSError):
        os.write(sys.stdout.fileno(), json.dumps(value).encode() + b"\n")


def _hear() -> Any:
    line = sys.stdin.readline()
    return json.loads(line) if line.endswith("\n") else None


def _start(order: dict[str, Any]) -> subprocess.Popen[bytes]:
    with Path(order["log"]).open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - the command is the demo's own
            order["command"],
            cwd=order["cwd"],
            env=order["env"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=_die_with_guardian,  # noqa: PLW1509 - no thread runs yet
        )


def _stop(process: subprocess.Popen[bytes], grace_seconds: float) -> None:
    if grace_seconds > 0 and process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(grace_seconds)
    # The group, not the process alone: whatever the command started goes with it.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _remove_litter(names: list[str], pid: int) -> None:
    for name in names:
        path = Path(name.format(pid=pid))
        # Not there, somebody else's, or a folder that others still use: nothing of ours is left then.
        with contextlib.suppress(OSError):
            if path.name != Path(name).name or path.read_text(encoding="utf-8").strip() == str(pid):
                path.unlink()
                path.parent.rmdir()


def _converse() -> None:
    order = _hear()
    if not isinstance(order, dict):  # the demo has died, or has failed before there was anything to start
        return
    process = _start(order)
    grace_seconds = 0.0
    try:
        threading.Thread(target=lambda: _say(process.wait()), daemon=True).start()
        grace_seconds = float(_hear() or 0)
    finally:
        _stop(process, grace_seconds)
        _remove_litter(order["litter"], process.pid)


def main(prefix: str | None) -> None:
    """Make a temporary folder whose name starts with the prefix, if one is given, then do as the demo says."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    folder = None
    try:
        folder = tempfile.mkdtemp(prefix=prefix) if prefix else None
        _say(folder)
        _converse()
    finally:
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
