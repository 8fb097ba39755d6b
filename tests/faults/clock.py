"""The wall clock jumps while traces wait, by minutes and hours, forward and back: none is lost, decided at once, or never.

What jumps is what the processor's Python code reads. gRPC keeps the clock that there is: it turns each deadline into one of the
monotonic clock at once, so that a jump does nothing to it.

uv run python -m tests.faults.clock [--steps 12] [--wait 3] [--seed 0]
"""

import argparse
import random
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.faults.kills import size
from tests.faults.load import Load, Requests, sink
from tests.faults.program import Program
from tests.peers.waiting import wait_until

SPANS = 20
STEPS = (300, -600, 6 * 3600, -12 * 3600, 90, -86_400)
"""By how many seconds the clock jumps, one after the other."""
_PRELUDE = """
import os, time, types
import grpc._channel
grpc._channel.time = types.SimpleNamespace(**vars(time))
_offset, _time, _time_ns = os.open({file!r}, os.O_RDONLY), time.time, time.time_ns
time.time_ns = lambda: _time_ns() + int(os.pread(_offset, 32, 0)) * 10**9
time.time = lambda: _time() + int(os.pread(_offset, 32, 0))
"""


@dataclass
class Outcome:
    """What came of it."""

    steps: int
    kills: int
    acknowledged: int
    """Spans."""
    missing: int
    twice: int
    too_soon: int
    """Requests of which spans arrived before their traces had waited."""
    waited_longest: float
    """Seconds from the last jump until all was there."""
    left_on_disk: int
    hours_off: float
    """By how much the processor's log was wrong at the most: so it has seen the jumps."""


class Clock:
    """The file that tells the processor how wrong its clock is."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.prelude = _PRELUDE.format(file=str(file))
        self.jump(0)

    def jump(self, seconds: int) -> None:
        with self._file.open("r+b" if self._file.exists() else "wb") as file:
            file.write(f"{seconds:<31}\n".encode())


def jumps(folder: Path, *, steps: int, wait: float, seed: int = 0) -> Outcome:
    """Have so many, each in the middle of a wait; after every third the processor is killed, and started again."""
    choice, clock, now, kills, too_soon = random.Random(seed), Clock(folder / "offset"), 0, 0, 0
    settings = {"processors__tail_sampling__decision_wait": f"{wait}s"}
    with sink() as peer, Program(folder, peer.endpoint, storage=True, prelude=clock.prelude, **settings) as program:
        program.start()
        program.wait_until_up()
        load = Load(program.endpoint, Requests(SPANS), pause=0.02)
        load.start()
        for step in range(steps):
            time.sleep(choice.uniform(0, wait / 2))
            before, began = set(load.acknowledged), time.monotonic()
            now += STEPS[step % len(STEPS)]
            clock.jump(now)
            time.sleep(wait / 4)
            # What was acknowledged since the jump has waited for a quarter of its time at the most.
            recent = load.acknowledged - before
            arrived = [number for number in recent if peer.arrived(number)]
            too_soon += len(arrived) if time.monotonic() - began < wait else 0
            if step % 3 == 2:
                program.kill()
                program.start()
                program.wait_until_up()
                kills += 1
        load.stop()
        last = time.monotonic()
        with suppress(TimeoutError):
            wait_until(lambda: not peer.missing(load.acknowledged, SPANS), "all acknowledged spans", 60 + 5 * wait)
        waited = time.monotonic() - last
        with suppress(TimeoutError):
            wait_until(lambda: size(program.storage) == 0, "the storage to be empty", 30)
        return Outcome(
            steps,
            kills,
            len(load.acknowledged) * SPANS,
            peer.missing(load.acknowledged, SPANS),
            peer.twice(load.acknowledged, SPANS),
            too_soon,
            round(waited, 1),
            size(program.storage),
            round(max(map(_hours_off, program.output().splitlines())), 1),
        )


def _hours_off(line: str) -> float:
    try:
        at = datetime.fromisoformat(line.split(" ", 1)[0])
        return abs((datetime.now(UTC) - at).total_seconds()) / 3600
    except (ValueError, TypeError):
        return 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--wait", type=float, default=3.0, help="decision_wait; seconds")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(jumps(Path(folder), steps=given.steps, wait=given.wait, seed=given.seed))  # noqa: T201 - a program that prints


if __name__ == "__main__":
    main()
