"""How much memory there is for this process: by its control groups, or by the machine."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import NamedTuple

_ROOT = Path("/sys/fs/cgroup")
_OWN_GROUPS = Path("/proc/self/cgroup")
_STATM = Path("/proc/self/statm")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Available(NamedTuple):
    """The memory that there is, and whether it is a container's own."""

    bytes: int
    of_container: bool


def available_memory(*, root: Path = _ROOT, own_groups: Path = _OWN_GROUPS) -> Available:
    """Return the smallest limit of the process's control groups (version 1 or 2), or the machine's memory if none is smaller."""
    machine = _PAGE * os.sysconf("SC_PHYS_PAGES")
    smallest = min(_limits(root, own_groups), default=machine)
    return Available(smallest, True) if smallest < machine else Available(machine, False)


def resident_memory() -> int:
    """Return how much of the machine's memory the process takes now; bytes, 0 where the system does not tell."""
    try:
        return int(_STATM.read_bytes().split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return 0


def _limits(root: Path, own_groups: Path) -> list[int]:
    found = []
    for folder, file in _folders(root, own_groups):
        try:
            text = (folder / file).read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            continue
        if text.isdecimal():  # or `max`
            found.append(int(text))
    return found


def _folders(root: Path, own_groups: Path) -> list[tuple[Path, str]]:
    """Return where limits may stand: a container mostly sees its own group as the root, else each group above counts too."""
    v2, v1 = "memory.max", "memory.limit_in_bytes"
    found = [(root, v2), (root / "memory", v1)]
    try:
        lines = own_groups.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return found
    for line in lines:
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers and "memory" not in controllers.split(","):
            continue
        base, file = (root / "memory", v1) if controllers else (root, v2)
        relative = PurePosixPath(path.lstrip("/"))
        found += [(base / part, file) for part in (relative, *relative.parents)]
    return found
