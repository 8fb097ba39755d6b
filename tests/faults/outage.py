"""The peer is away for an hour of load, sent faster than an hour takes: all of it comes once the peer is back.

What an outage takes is disk, and that grows with what is kept, not with time: so the hour is compressed by sending its spans
`--faster` times as fast. With `--disk` smaller than that, senders are refused from when it is full, and lose nothing either.

uv run python -m tests.faults.outage [--minutes 60] [--rate 500] [--faster 12] [--disk 1024]
"""

import argparse
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.faults.load import Load, Requests, sink
from tests.faults.program import Program
from tests.peers.waiting import wait_until

SPANS = 100


@dataclass
class Outcome:
    """What came of it."""

    seconds: float
    acknowledged: int
    on_disk_mib: int
    """At the end of the outage."""
    resident_mib: int
    """At the most."""
    refused: dict[str, int]
    missing: int
    twice: int
    given_up: int
    seconds_to_catch_up: float


def outage(folder: Path, *, minutes: float, rate: float, faster: float, disk_mib: int) -> Outcome:
    """Have one, with `rate` spans a second in its own time."""
    settings = {"extensions__file_storage__max_size_mib": str(disk_mib)}
    with sink() as peer, Program(folder, peer.endpoint, storage=True, **settings) as program:
        program.start()
        program.wait_until_up()
        peer.away.set()
        load = Load(program.endpoint, Requests(SPANS), pause=SPANS / (rate * faster))
        load.start()
        until = time.monotonic() + minutes * 60 / faster
        resident = 0
        while time.monotonic() < until:
            time.sleep(0.5)
            resident = max(resident, program.resident_mib)
        load.stop()
        on_disk = sum(file.stat().st_size for file in program.storage.glob("*-*.binpb")) >> 20
        back = time.monotonic()
        peer.away.clear()
        with suppress(TimeoutError):
            wait_until(lambda: not peer.missing(load.acknowledged, SPANS), "all acknowledged spans", 300, interval=0.2)
        return Outcome(
            minutes * 60 / faster,
            len(load.acknowledged) * SPANS,
            on_disk,
            resident,
            dict(load.refused),
            peer.missing(load.acknowledged, SPANS),
            peer.twice(load.acknowledged, SPANS),
            len(load.given_up),
            round(time.monotonic() - back, 1),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=float, default=500, help="spans a second, before they are sent faster")
    parser.add_argument("--faster", type=float, default=12)
    parser.add_argument("--disk", type=int, default=1024, help="max_size_mib")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(  # noqa: T201 - a program that prints
            outage(Path(folder), minutes=given.minutes, rate=given.rate, faster=given.faster, disk_mib=given.disk)
        )


if __name__ == "__main__":
    main()
