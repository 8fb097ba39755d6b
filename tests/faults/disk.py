"""A disk that gets really full: requests are refused meanwhile, it goes on by itself, and nothing acknowledged is lost.

uv run python -m tests.faults.disk [--mib 16] [--times 5]
"""

import argparse
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.faults.load import Load, Requests, sink
from tests.faults.program import Program
from tests.peers.missing import missing
from tests.peers.waiting import wait_until

SPANS = 100


@contextmanager
def small_disk(folder: Path, mib: int) -> Iterator[Path]:
    """A file system of this size on the folder; where none can be mounted it is a missing part."""
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(folder)]
    try:
        made = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        missing("a small file system needs the command 'mount', which is not on PATH")
    if made.returncode:
        missing(f"no file system can be mounted here: {made.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)


def fill(folder: Path) -> Path:
    """Take all that is left of the disk, as another program might; returns the file that does."""
    filler = folder / "filler"
    with filler.open("ab", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass
    return filler


@dataclass
class Outcome:
    """What came of it."""

    acknowledged: int
    missing: int
    given_up: int
    refused: dict[str, int]
    left_on_disk: int
    output: str


def fill_again_and_again(folder: Path, *, mib: int, times: int, seconds: float) -> Outcome:
    """Fill the disk so often, for so long each time, under load."""
    settings = {"extensions__file_storage__directory": str(folder / "disk" / "storage")}
    with (
        small_disk(folder / "disk", mib) as disk,
        sink() as peer,
        Program(folder, peer.endpoint, storage=True, **settings) as program,
    ):
        program.start()
        program.wait_until_up()
        load = Load(program.endpoint, Requests(SPANS), pause=0.01)
        load.start()
        with grpc.insecure_channel(program.endpoint) as channel:
            check = health_pb2_grpc.HealthStub(channel).Check

            def is_ready() -> bool:
                answer = check(health_pb2.HealthCheckRequest(), timeout=30)
                return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

            for _ in range(times):
                before = len(load.acknowledged)
                wait_until(lambda: len(load.acknowledged) > before + 5, "requests to be taken", 120)  # noqa: B023
                filler = fill(disk)
                wait_until(lambda: not is_ready(), "it not to be ready", 120)
                time.sleep(seconds)
                filler.unlink()
                wait_until(is_ready, "it to be ready by itself", 120)
        load.stop()
        with suppress(TimeoutError):
            wait_until(lambda: not peer.missing(load.acknowledged, SPANS), "all acknowledged spans", 120)
        storage = disk / "storage"
        with suppress(TimeoutError):
            wait_until(lambda: not list(storage.glob("*-*.binpb")), "the storage to be empty", 60)
        return Outcome(
            len(load.acknowledged) * SPANS,
            peer.missing(load.acknowledged, SPANS),
            len(load.given_up) * SPANS,
            dict(load.refused),
            sum(file.stat().st_size for file in storage.glob("*-*.binpb")),
            program.output(),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mib", type=int, default=16)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="for which the disk is full each time")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(fill_again_and_again(Path(folder), mib=given.mib, times=given.times, seconds=given.seconds))  # noqa: T201


if __name__ == "__main__":
    main()
