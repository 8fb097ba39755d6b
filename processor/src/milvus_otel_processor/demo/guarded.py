"""A command that cannot outlive this process, and a temporary folder that cannot either."""

from __future__ import annotations

import contextlib
import json
import select
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from milvus_otel_processor.demo import guardian
from milvus_otel_processor.demo.errors import DemoError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType


class Guarded:
    """One command under a guardian of its own (see `guardian.py`), used as a context manager.

    With `prefix`, `folder` is a new temporary folder, removed after the command's end at the latest when this process
    ends, however that happens. Without, it is None.
    """

    def __init__(self, prefix: str | None = None) -> None:
        self._guardian = subprocess.Popen(  # noqa: S603 - our own file, our own interpreter
            [sys.executable, "-I", "-S", guardian.__file__, *([prefix] if prefix else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._returncode: int | None = None
        folder = self._hear()
        self.folder = Path(folder) if folder else None

    def __enter__(self) -> Self:
        """Return self; leaving the block stops the command at once."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the command without grace, and wait until nothing is left of it."""
        self.stop()

    def start(
        self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path, litter: Sequence[str] = ()
    ) -> None:
        """Run the command in a session of its own; what it prints is appended to the file `log`.

        `litter` names files that it leaves outside of its folder, to be removed at its end: those with `{pid}` in their
        name, and those that hold its process id and nothing else.
        """
        order = {"command": list(command), "cwd": str(cwd), "env": dict(env), "log": str(log), "litter": list(litter)}
        self._say(order)

    def returncode(self) -> int | None:
        """Return how the command ended, negative for the signal that killed it, or None while it runs."""
        assert self._guardian.stdout is not None
        if (
            self._returncode is None
            and not self._guardian.stdout.closed
            and select.select([self._guardian.stdout], [], [], 0)[0]
        ):
            self._returncode = self._hear()
        return self._returncode

    def stop(self, grace_seconds: float = 0) -> None:
        """End the command: SIGTERM, then SIGKILL to its group after the grace; then remove the temporary folder."""
        stdin, stdout = self._guardian.stdin, self._guardian.stdout
        assert stdin is not None
        assert stdout is not None
        if not stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                self._say(grace_seconds)
            # From here on the guardian finishes alone, whatever happens to this process.
            with contextlib.suppress(BrokenPipeError):
                stdin.close()
        self._guardian.wait()
        stdout.close()

    def _say(self, value: object) -> None:
        assert self._guardian.stdin is not None
        self._guardian.stdin.write(json.dumps(value).encode() + b"\n")
        self._guardian.stdin.flush()

    def _hear(self) -> Any:
        assert self._guardian.stdout is not None
        line = self._guardian.stdout.readline()
        if not line:
            raise DemoError(f"the guardian of a demo process ended with status {self._guardian.wait()}")
        return json.loads(line)
