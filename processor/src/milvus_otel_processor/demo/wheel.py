"""What the wheel `milvus` holds: the server's binaries, compressed, and a template of its configuration."""

from __future__ import annotations

import fcntl
import lzma
import os
import platform
import shutil
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from threading import Event
from typing import Any

from ruamel.yaml import YAML

from milvus_otel_processor.demo.errors import MilvusUnavailableError
from milvus_otel_processor.installing import how_to_install

WHEEL_VERSION = "2.3.5"
_CHUNK_BYTES = 1 << 20


def data_folder() -> Path:
    """Return the wheel's data folder.

    Raises MilvusUnavailableError where the wheel is missing, which is for Linux on x86_64 alone.
    """
    spec = find_spec("milvus")
    if spec is None or spec.origin is None:
        raise MilvusUnavailableError(_without_wheel(platform.system(), platform.machine()))
    return Path(spec.origin).parent / "data"


def _without_wheel(system: str, machine: str) -> str:
    if (system, machine) == ("Linux", "x86_64"):
        return f"no Milvus to start: the wheel milvus=={WHEEL_VERSION} is not installed: {how_to_install('demo')}"
    return (
        f"no Milvus to start: the demo takes it from the wheel milvus=={WHEEL_VERSION}, which is for Linux on x86_64, and this "
        f"is {system} on {machine}. Run the whole stack in containers instead, in a checkout of milvus-otel: "
        "docker compose up --wait"
    )


def cache_folder() -> Path:
    """Return where unpacked binaries are kept between runs: below XDG_CACHE_HOME, else ~/.cache."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "milvus-otel"


def unpack(cache: Path) -> Path:
    """Return the folder with the server's binaries, unpacked below the cache folder on first use (246 MB, 4 s).

    Safe to call from several processes at once: one unpacks, the others wait. A folder that is there is complete.
    Raises MilvusUnavailableError where there is no wheel, or the cache folder cannot be written.
    """
    source = data_folder() / "bin"
    version = metadata.version("milvus")
    target = cache / f"milvus-{version}-{platform.machine()}"
    if target.is_dir():
        return target
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / f"{target.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not target.is_dir():
                _unpack_at_once(source, target)
    except OSError as error:
        raise MilvusUnavailableError(
            f"cannot unpack Milvus into {cache}: {error}; it needs 246 MB there, XDG_CACHE_HOME chooses another place"
        ) from None
    return target


def _unpack_at_once(source: Path, target: Path) -> None:
    """Unpack into a folder beside the target, which gets the target's name when all is there."""
    partial = target.with_name(f"{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        _unpack_all(source, partial)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    partial.rename(target)


def _unpack_all(source: Path, target: Path) -> None:
    given_up = Event()

    def unpack_one(packed: Path) -> None:
        with lzma.open(packed) as compressed, (target / packed.stem).open("wb") as binary:
            while not given_up.is_set() and (chunk := compressed.read(_CHUNK_BYTES)):
                binary.write(chunk)
        (target / packed.stem).chmod(0o755)

    largest_first = sorted(source.glob("*.lzma"), key=lambda packed: packed.stat().st_size, reverse=True)
    with ThreadPoolExecutor() as pool:
        try:
            list(pool.map(unpack_one, largest_first))
        except BaseException:
            given_up.set()  # leaving the block waits for what is under way
            raise


def render_template(folder: Path) -> dict[str, Any]:
    """Return the wheel's configuration for a server whose files are all below the folder.

    All of its ports are free ones.
    """
    from milvus import MilvusServerConfig  # noqa: PLC0415 - an optional dependency

    names = [name for name in MilvusServerConfig().configurable_items if name.endswith("_port")]
    config = MilvusServerConfig(data_dir=str(folder), **free_ports(names))
    config.resolve()
    rendered: dict[str, Any] = YAML(typ="safe").load(folder / "configs" / "milvus.yaml")
    return rendered


def free_ports(names: list[str]) -> dict[str, int]:
    """Return a different free TCP port for each name."""
    with ExitStack() as stack:
        sockets = {name: stack.enter_context(socket.socket()) for name in names}
        for each in sockets.values():
            each.bind(("127.0.0.1", 0))
        return {name: each.getsockname()[1] for name, each in sockets.items()}
