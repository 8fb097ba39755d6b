"""The file that `--out` names: it is written whole, or stays as it was."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def written_whole(path: Path) -> Iterator[IO[bytes]]:
    """Give a file to write, which takes the place of `path` when the block has ended well. Raises OSError.

    What is no plain file, such as a pipe, is written at once; so is one in a folder where no other can be made.
    """
    mode = None
    with suppress(FileNotFoundError):
        mode = path.lstat().st_mode
    if mode is not None and not (stat.S_ISREG(mode) and os.access(path.parent, os.W_OK)):
        with path.open("wb") as file:
            yield file
        return
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
        Path(name).chmod(stat.S_IMODE(mode) if mode is not None else 0o666 & ~_umask())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    """Return which rights new files do not get; there is no way to ask but to set it."""
    now = os.umask(0o077)
    os.umask(now)
    return now
