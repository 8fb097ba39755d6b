"""Mutated requests for the running processor: it answers each, takes what is well formed, and every span is in one place.

uv run python -m tests.faults.hostile [--requests 1000000] [--seed 0]
"""

import argparse
import gzip
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import grpc

from tests.differential.fuzz_requests import mutants
from tests.faults.balance import Watch
from tests.faults.load import sink
from tests.faults.program import Program
from tests.peers.otlp_sink import METHOD
from tests.peers.process import free_port

_AT_ONCE = 64


@dataclass
class Outcome:
    """What came of it."""

    answers: dict[str, int]
    unbalanced: list[str]
    looks: int
    spans: int
    """That were taken."""
    resident_mib: list[int]
    """At each tenth of the way."""
    tracebacks: int


def hostile(folder: Path, count: int, seed: int) -> Outcome:
    """Send so many, some of them compressed, or what looks as if it were."""
    port = free_port()
    readers = f"[{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {port}}}}}}}}}]"
    settings = {
        "service__pipelines__traces__processors": "[milvus, tail_sampling]",
        "service__telemetry__metrics__level": "normal",
        "service__telemetry__metrics__readers": readers,
    }
    with sink() as peer, Program(folder, peer.endpoint, storage=False, **settings) as program:
        program.start()
        program.wait_until_up()
        watch = Watch(f"127.0.0.1:{port}", pause=1.0)
        answers: Counter[str] = Counter()
        resident = [program.resident_mib]
        places = threading.BoundedSemaphore(_AT_ONCE)

        def answered(call: grpc.Future) -> None:
            answers[call.code().name] += 1
            places.release()

        with grpc.insecure_channel(program.endpoint, [("grpc.max_send_message_length", -1)]) as channel:
            export = channel.unary_unary(METHOD)

            for number, request in enumerate(_wrapped(mutants(Random(seed), count), Random(seed)), start=1):
                places.acquire()
                export.future(request, timeout=60).add_done_callback(answered)
                if number % max(1, count // 10) == 0:
                    resident.append(program.resident_mib)
            for _ in range(_AT_ONCE):
                places.acquire()
            export(b"", timeout=60, wait_for_ready=True)
        watch.end()
        last = watch.now()
        assert last is not None
        if (problem := last.imbalance()) is not None:
            watch.unbalanced.append(problem)
        return Outcome(
            dict(answers),
            watch.unbalanced,
            watch.looks,
            last.spans("receiver_accepted_spans_total"),
            resident,
            program.output().count("Traceback"),
        )


def _wrapped(requests: Iterator[bytes], random: Random) -> Iterator[bytes]:
    for request in requests:
        chance = random.random()
        if chance < 0.9:
            yield request
        elif chance < 0.95:
            yield gzip.compress(request, 1)
        else:  # cut short, or with other bytes behind a beginning that is gzip's
            packed = gzip.compress(request, 1)
            yield packed[: random.randrange(len(packed))] + random.randbytes(random.randrange(20))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(hostile(Path(folder), given.requests, given.seed))  # noqa: T201 - a program that prints


if __name__ == "__main__":
    main()
