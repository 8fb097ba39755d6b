"""What the durable buffer costs, and how soon requests are acknowledged with it: the whole processor, on the recorded mix.

    uv run python -m tests.benchmarks.storage_cost [--pairs 5] [--requests 1500] [--seconds 20]

Runs without and with a storage take turns, each with as many requests as fast as one sender's are taken; CPU time is the
processor's own. Then, with the storage, requests come half as fast as they were taken, and each answer is timed.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.load import recorded, repeated, spans_in
from tests.faults.load import Load, percentile, sink
from tests.faults.program import Program


class RecordedRequests:
    """The recorded requests, with trace ids of their own for each number."""

    def __init__(self) -> None:
        self._requests = recorded()
        self.spans = spans_in(self._requests) // len(self._requests)  # on average

    def numbered(self, number: int) -> bytes:
        """The recorded requests in turn, told apart by their number."""
        (fresh,) = repeated([self._requests[number % len(self._requests)]], 1, lambda _: (number << 20).to_bytes(8))
        return fresh


class Run(NamedTuple):
    """One processor's work."""

    cpu: float
    """Microseconds for each span."""
    requests_a_second: float


@contextmanager
def running(*, storage: bool) -> Iterator[Program]:
    """A processor that keeps a tenth, and its peer."""
    tenth = "[{name: tenth, type: probabilistic, probabilistic: {sampling_percentage: 10}}]"
    with (
        tempfile.TemporaryDirectory() as folder,
        sink() as peer,
        Program(Path(folder), peer.endpoint, storage=storage, processors__tail_sampling__policies=tenth) as program,
    ):
        program.start()
        program.wait_until_up()
        yield program


def run(requests: RecordedRequests, count: int, *, storage: bool) -> Run:
    """Send so many requests to a processor, one after the other."""
    with running(storage=storage) as program:
        load = Load(program.endpoint, requests)
        before, began = _cpu(program), time.monotonic()
        load.start()
        while len(load.acknowledged) < count:
            time.sleep(0.01)
        took = time.monotonic() - began
        load.stop()
        time.sleep(2.5)  # all is decided by then, and what it left on disk is gone
        sent = len(load.acknowledged)
        return Run((_cpu(program) - before) / (sent * requests.spans) * 1e6, sent / took)


def answers(requests: RecordedRequests, a_second: float, seconds: float) -> list[float]:
    """Send as many requests a second to a processor with a storage; return how long the answers took, in seconds."""
    with running(storage=True) as program:
        load = Load(program.endpoint, requests, pause=1 / a_second)
        load.start()
        time.sleep(seconds)
        load.stop()
        return load.seconds


def _cpu(program: Program) -> float:
    assert program.process is not None
    fields = Path(f"/proc/{program.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--requests", type=int, default=1500)
    parser.add_argument("--seconds", type=float, default=20)
    given = parser.parse_args()
    requests = RecordedRequests()
    pairs = [[run(requests, given.requests, storage=storage) for storage in (False, True)] for _ in range(given.pairs)]
    for without, with_it in pairs:
        sys.stdout.write(f"CPU of a span, µs: without {without.cpu:.2f}, with {with_it.cpu:.2f}\n")
    more = statistics.median(with_it.cpu - without.cpu for without, with_it in pairs)
    rate = statistics.median(with_it.requests_a_second for _, with_it in pairs)
    took = answers(requests, rate / 2, given.seconds)
    sys.stdout.write(
        f"the durable buffer: {more:.2f} µs more, the median of {given.pairs} pairs\n"
        f"answers at {rate / 2 * requests.spans:.0f} spans a second, half of what one sender gets taken: "
        f"median {percentile(took, 0.5) * 1000:.1f} ms, p99 {percentile(took, 0.99) * 1000:.1f} ms of {len(took)}\n"
    )


if __name__ == "__main__":
    main()
