"""Parts that are built once and kept outside the tree, for all checkouts and parallel test runs."""

import fcntl
import hashlib
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

uncaptured: Callable[[], AbstractContextManager[None]] = nullcontext
"""Opens the way to the terminal; under pytest, `tests/conftest.py` makes it lift the capture of output."""

UNUSED_SECONDS = 14 * 86400


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

    One process builds while others wait; a build that fails leaves nothing behind. `duration` is told to the user. The time
    that it takes is not the test's: its timeout stands still.
    """
    folder = cache_dir() / f"{name}-{key}"
    if not folder.is_dir():
        with _timeout_stands_still(), locked(folder.with_name(f"{folder.name}.lock")):
            if not folder.is_dir():
                _tell(f"building {name} into {folder} (once; {duration})")
                _build_beside(folder, build)
                _remove_unused(name, folder)
    os.utime(folder)  # when it was used last
    return folder


def _build_beside(folder: Path, build: Callable[[Path], None]) -> None:
    workshop = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    try:
        build(workshop)
        workshop.chmod(0o755)
        workshop.rename(folder)
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


def _remove_unused(name: str, newest: Path) -> None:
    """Remove what was built under this name from other versions, and for weeks not used."""
    keys = "[0-9a-f]" * len(newest.name.removeprefix(f"{name}-"))
    for other in newest.parent.glob(f"{name}-{keys}"):
        if other != newest and time.time() - other.stat().st_mtime > UNUSED_SECONDS:
            shutil.rmtree(other, ignore_errors=True)


def _tell(words: str) -> None:
    with uncaptured():
        sys.stderr.write(f"\n{words}\n")
        sys.stderr.flush()


@contextmanager
def _timeout_stands_still() -> Iterator[None]:
    """Stop the timer that pytest-timeout ends a test by, and let it go on in the end."""
    left = signal.setitimer(signal.ITIMER_REAL, 0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, *left)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock that is the file `path`; other processes, and threads, wait for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
