"""kill -9 at random moments under load: every span that was acknowledged is exported, hardly any twice.

uv run python -m tests.faults.kills [--kills 100] [--seconds 3] [--fsync] [--outages]
"""

import argparse
import random
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.faults.load import Load, Requests, sink
from tests.faults.program import Program
from tests.peers.waiting import wait_until

SPANS = 50
"""In a request, each a trace of its own."""


@dataclass
class Outcome:
    """What came of it; spans, but for `kills` and the last three: seconds, seconds, and bytes."""

    kills: int
    acknowledged: int
    lost: int
    twice: int
    slowest_answer: float
    slowest_start: float
    left_on_disk: int


def size(storage: Path) -> int:
    """The bytes of requests and kept spans on disk."""
    return sum(file.stat().st_size for file in storage.glob("*-*.binpb") if file.exists())


def kill_again_and_again(
    folder: Path, kills: int, seconds: float, *, fsync: bool = False, outages: bool = False, seed: int = 0
) -> Outcome:
    """Run it; with `outages` the peer is away half of the time."""
    choice = random.Random(seed)
    with sink() as peer, Program(folder, peer.endpoint, extensions__file_storage__fsync=str(fsync).lower()) as program:
        load = Load(program.endpoint, Requests(SPANS, trace=1), pause=0.005)
        program.start()
        load.start()
        starts = []
        for _ in range(kills):
            starts.append(program.wait_until_up())
            if outages and choice.random() < 0.5:
                peer.away.set()
            time.sleep(choice.uniform(0.2, 2 * seconds))
            program.kill()
            peer.away.clear()
            program.start()
        starts.append(program.wait_until_up())
        load.stop()
        with suppress(TimeoutError):
            wait_until(lambda: not peer.missing(load.acknowledged, SPANS), "all acknowledged spans", 60, interval=0.5)
        with suppress(TimeoutError):
            wait_until(lambda: size(program.storage) == 0, "the storage to be empty", 20, interval=0.5)
        left = size(program.storage)
    return Outcome(
        kills,
        len(load.acknowledged) * SPANS,
        peer.missing(load.acknowledged, SPANS),
        peer.twice(load.acknowledged, SPANS),
        max(load.seconds),
        round(max(starts), 1),
        left,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=2.0, help="between two kills, on average")
    parser.add_argument("--fsync", action="store_true")
    parser.add_argument("--outages", action="store_true", help="the peer is away half of the time")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcome = kill_again_and_again(
            Path(folder),
            arguments.kills,
            arguments.seconds,
            fsync=arguments.fsync,
            outages=arguments.outages,
            seed=arguments.seed,
        )
    print(outcome)  # noqa: T201 - a program that prints


if __name__ == "__main__":
    main()
