"""Parts that are built once and kept outside the tree, for all checkouts and parallel test runs."""

import fcntl
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

uncaptured: Callable[[], AbstractContextManager[None]] = nullcontext
"""Opens the way to the terminal; under pytest, `tests/conftest.py` makes it lift the capture of output."""


def cache_dir() -> Path:
    """Where built parts are kept: `MILVUS_OTEL_CACHE`, or `~/.cache/milvus-otel`."""
    return Path(os.environ.get("MILVUS_OTEL_CACHE") or Path.home() / ".cache" / "milvus-otel")


def fingerprint(*parts: str | bytes) -> str:
    """A short name for what a build is made from; another version or manifest gets another one."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode() if isinstance(part, str) else part)
        digest.update(b"\0")
    return digest.hexdigest()[:12]


def built(name: str, key: str, duration: str, build: Callable[[Path], None]) -> Path:
    """The folder `<cache>/<name>-<key>`, filled by `build(folder)` if it is not there yet.

    One process builds while others wait; a build that fails leaves nothing behind. `duration` is told to the user.
    """
    folder = cache_dir() / f"{name}-{key}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder.with_suffix(".lock")):
        if folder.is_dir():
            return folder
        with uncaptured():
            sys.stderr.write(f"\nbuilding {name} into {folder} (once; {duration})\n")
            sys.stderr.flush()
        workshop = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
        try:
            build(workshop)
            workshop.chmod(0o755)
            workshop.rename(folder)
        finally:
            shutil.rmtree(workshop, ignore_errors=True)
    return folder


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock that is the file `path`; other processes, and threads, wait for it."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
