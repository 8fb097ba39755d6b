"""A trace of a million spans beside normal ones: they are decided in their time, and all of it comes out.

uv run python -m tests.faults.large_trace [--spans 1000000]
"""

import argparse
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import grpc

from tests.faults.load import Load, Requests, percentile, sink
from tests.faults.program import Program
from tests.peers.otlp_sink import METHOD
from tests.peers.waiting import wait_until

SPANS = 1000
"""Of the large trace in a request."""


@dataclass
class Outcome:
    """What came of it; times are in seconds."""

    spans: int
    seconds: float
    """In which they were sent."""
    missing: int
    others: int
    others_missing: int
    others_p99: float
    """Of the time until they were acknowledged."""
    others_slowest: float
    resident_mib: int


def large_trace(folder: Path, spans: int) -> Outcome:
    """Send one, of one trace id, while others send small ones."""
    settings = {"processors__tail_sampling__decision_wait": "5s"}
    whole, small = Requests(SPANS, trace=SPANS), Requests(10)
    with sink() as peer, Program(folder, peer.endpoint, storage=False, **settings) as program:
        program.start()
        program.wait_until_up()
        others = Load(program.endpoint, small, first=1 << 40, pause=0.02)
        others.start()
        resident, began = 0, time.monotonic()
        with grpc.insecure_channel(program.endpoint) as channel:
            export = channel.unary_unary(METHOD)
            # Always the same number, and so the same trace: the store does not look at span ids.
            for _ in range(spans // SPANS):
                export(whole.numbered(1), timeout=60)
        took = time.monotonic() - began
        until = time.monotonic() + 10
        while time.monotonic() < until:
            resident = max(resident, program.resident_mib)
            time.sleep(0.2)
        others.stop()
        with suppress(TimeoutError):
            wait_until(lambda: not peer.missing({1}, spans), "the whole trace", 180, interval=0.5)
        with suppress(TimeoutError):
            wait_until(lambda: not peer.missing(others.acknowledged, 10), "the others", 60, interval=0.5)
        return Outcome(
            spans,
            round(took, 1),
            peer.missing({1}, spans),
            len(others.acknowledged) * 10,
            peer.missing(others.acknowledged, 10),
            percentile(others.seconds, 0.99),
            max(others.seconds),
            resident,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, default=1_000_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(large_trace(Path(folder), given.spans))  # noqa: T201 - a program that prints


if __name__ == "__main__":
    main()
