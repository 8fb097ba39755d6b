"""A memory control group for a program, where this machine lets us make one."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.peers.missing import missing

_V1 = Path("/sys/fs/cgroup/memory")
_V2 = Path("/sys/fs/cgroup")


class Group:
    """A control group: what may be used in it, and what was."""

    def __init__(self, path: Path, *, v1: bool) -> None:
        self.path = path
        self._v1 = v1

    def enter(self) -> None:
        """Put this process into it: for a child, between fork and exec."""
        (self.path / "cgroup.procs").write_text(str(os.getpid()))

    @property
    def peak_mib(self) -> int:
        """The most that was used; MiB."""
        file = "memory.max_usage_in_bytes" if self._v1 else "memory.peak"
        return int((self.path / file).read_text()) >> 20

    @property
    def kills(self) -> int:
        """How many processes in it were killed for want of memory."""
        file = "memory.oom_control" if self._v1 else "memory.events"
        for line in (self.path / file).read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
        return 0


@contextmanager
def memory_group(mib: int) -> Iterator[Group]:
    """A group with a limit; skips the test where it cannot be made."""
    v1 = (_V1 / "memory.limit_in_bytes").exists()
    path = (_V1 if v1 else _V2) / f"milvus-otel-{secrets.token_hex(4)}"
    try:
        path.mkdir()
        (path / ("memory.limit_in_bytes" if v1 else "memory.max")).write_text(str(mib << 20))
        with suppress(OSError):
            (path / ("memory.swappiness" if v1 else "memory.swap.max")).write_text("0")
    except OSError as error:
        missing(f"no memory control group can be made here: {error}")
    try:
        yield Group(path, v1=v1)
    finally:
        path.rmdir()
