"""kill -9 at random moments under load: every span that was acknowledged is exported, hardly any twice.

uv run python -m tests.faults.kills [--kills 100] [--seconds 3] [--fsync] [--outages]
"""

import argparse
import random
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import grpc

from tests.faults.program import Program, Sender, wait_for_port
from tests.peers.otlp_sink import OtlpSink, otlp_sink
from tests.peers.waiting import wait_until

STARTS_WITHIN = 180.0
"""Seconds; on a machine with much else to do a start alone takes 20."""


@dataclass
class Outcome:
    """What came of it."""

    kills: int
    acknowledged: int
    lost: int
    twice: int
    slowest_answer: float
    left_on_disk: int


def numbers(sink: OtlpSink) -> Counter[int]:
    """How often each span's number arrived."""
    return Counter(int.from_bytes(span.trace_id, "big") for span in sink.spans())


def size(storage: Path) -> int:
    """The bytes of requests and kept spans on disk."""
    return sum(file.stat().st_size for file in storage.glob("*-*.binpb") if file.exists())


def kill_again_and_again(
    folder: Path, kills: int, seconds: float, *, fsync: bool = False, outages: bool = False, seed: int = 0
) -> Outcome:
    """Run it; with `outages` the peer is away half of the time."""
    choice = random.Random(seed)
    with (
        otlp_sink() as sink,
        Program(folder, sink.endpoint, extensions__file_storage__fsync=str(fsync).lower()) as program,
    ):
        sender = Sender(program.endpoint, pause=0.005)
        program.start()
        sender.start()
        for _ in range(kills):
            wait_for_port(program.endpoint, STARTS_WITHIN)
            if outages and choice.random() < 0.5:
                sink.fail_with(grpc.StatusCode.UNAVAILABLE)
            time.sleep(choice.uniform(0.2, 2 * seconds))
            program.kill()
            sink.recover()
            program.start()
        wait_for_port(program.endpoint, STARTS_WITHIN)
        sender.stop()
        owed = set(sender.acknowledged)
        with suppress(TimeoutError):
            wait_until(lambda: owed <= numbers(sink).keys(), "all acknowledged spans", 60, interval=0.5)
        arrived = numbers(sink)
        with suppress(TimeoutError):
            wait_until(lambda: size(program.storage) == 0, "the storage to be empty", 20, interval=0.5)
        left = size(program.storage)
    return Outcome(
        kills,
        len(owed),
        len(owed - arrived.keys()),
        sum(1 for number, count in arrived.items() if count > 1),
        max(sender.durations),
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
