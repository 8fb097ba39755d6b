"""Far more load than a container's memory holds: the processor is never killed, and what it acknowledged is exported.

First one sender for the peak, then ten times as many for much longer, then one again; all as fast as they are taken.

uv run python -m tests.faults.overload [--seconds 300] [--peak 10] [--mib 512] [--wait 10s] [--no-storage] [--text 2000]

Takes less than six minutes; its last line says what the goodput is of the peak.
"""

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from milvus_otel_processor.settings import parse_duration

from tests.faults.cgroup import memory_group
from tests.faults.load import Load, Requests, Sink, sink
from tests.faults.program import Program
from tests.peers.waiting import wait_until

SPANS = 1000
"""In a request."""
TIMES = 10


@dataclass
class Outcome:
    """What came of it; rates are in spans a second."""

    kills: int
    peak_mib: int
    acknowledged: int
    missing: int
    twice: int
    refused: dict[str, int]
    given_up: int
    peak: float
    peak_afterwards: float
    goodput: float
    offered: float


def overload(
    folder: Path, *, mib: int, seconds: float, peak: float, wait: str = "2s", storage: bool = True, text: int = 200
) -> Outcome:
    settings = {"processors__tail_sampling__decision_wait": wait}
    with (
        memory_group(mib) as group,
        sink() as peer,
        Program(folder, peer.endpoint, storage=storage, **settings) as program,
    ):
        program.start(before=group.enter)
        program.wait_until_up()
        requests = Requests(SPANS, text=text)
        one = [Load(program.endpoint, requests)]
        settling = parse_duration(wait) + 2.0  # before that nothing, or what was there before, is exported
        most = exported_a_second(one, peer, peak, program.lives, settling)
        ten = [Load(program.endpoint, requests, first=1 + number * 10**9) for number in range(1, TIMES + 1)]
        goodput = exported_a_second(ten, peer, seconds - settling, program.lives, settling)
        after = [Load(program.endpoint, requests, first=1 + (TIMES + 1) * 10**9)]
        most_afterwards = exported_a_second(after, peer, peak, program.lives, settling)
        acknowledged = {number for load in one + ten + after for number in load.acknowledged}
        try:
            wait_until(lambda: not peer.missing(acknowledged, SPANS), "all acknowledged spans", 120, interval=0.5)
        except TimeoutError as error:
            print(error, program.output()[-2000:])  # noqa: T201 - a program that prints
        refused = sum((load.refused for load in ten), Counter[str]())
        tries = sum(len(load.acknowledged) for load in ten) + refused.total()
        return Outcome(
            group.kills,
            group.peak_mib,
            len(acknowledged) * SPANS,
            peer.missing(acknowledged, SPANS),
            peer.twice(acknowledged, SPANS),
            dict(refused),
            sum(len(load.given_up) for load in one + ten + after) * SPANS,
            round(most),
            round(most_afterwards),
            round(goodput),
            round(tries * SPANS / seconds),
        )


def exported_a_second(
    loads: list[Load], peer: Sink, seconds: float, lives: Callable[[], bool], settling: float
) -> float:
    """Let these send; return how many spans a second arrived in the `seconds` after the first `settling` ones."""
    for load in loads:
        load.start()
    _wait(settling, lives)
    first, began = peer.spans, time.monotonic()
    _wait(seconds, lives)
    rate = (peer.spans - first) / (time.monotonic() - began)
    for load in loads:
        load.stop()
    return rate


def _wait(seconds: float, lives: Callable[[], bool]) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and lives():
        time.sleep(0.1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument(
        "--peak", type=float, default=10, help="seconds for which the peak is measured, beyond the wait"
    )
    parser.add_argument("--mib", type=int, default=512)
    parser.add_argument("--wait", default="10s")
    parser.add_argument("--text", type=int, default=2000)
    parser.add_argument("--no-storage", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcome = overload(
            Path(folder),
            mib=given.mib,
            seconds=given.seconds,
            peak=given.peak,
            wait=given.wait,
            storage=not given.no_storage,
            text=given.text,
        )
    peak = max(outcome.peak, outcome.peak_afterwards)
    of_spans = f"{outcome.missing:,} of {outcome.acknowledged:,} spans lost"
    shares = [f"{outcome.goodput / one:.0%}" for one in (outcome.peak, outcome.peak_afterwards)]
    for line in (
        outcome,
        f"offered {outcome.offered:,} spans a second, {outcome.offered / peak:.1f} times the peak of {peak:,}",
        f"killed {outcome.kills} times, {outcome.peak_mib} MiB at the most; {of_spans}",
        f"goodput {outcome.goodput:,} spans a second, {shares[0]} of the peak before and {shares[1]} of that after",
    ):
        print(line)  # noqa: T201 - a program that prints


if __name__ == "__main__":
    main()
