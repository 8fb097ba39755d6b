"""Files that a command line names, each once: by its path, by its folder, or by a link."""

from __future__ import annotations

from stat import S_ISDIR
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def is_folder(path: Path) -> bool:
    """Tell whether it is a folder; what cannot be looked at is none, and is told when it is read."""
    try:
        return S_ISDIR(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def each_once(files: Iterable[Path]) -> list[Path]:
    """Return the files without those that were there before under this or another name; what cannot be looked at stays."""
    found: dict[object, Path] = {}
    for file in files:
        try:
            status = file.stat()
            identity: object = status.st_dev, status.st_ino
        except (OSError, ValueError):
            identity = file
        found.setdefault(identity, file)
    return list(found.values())
