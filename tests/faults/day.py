"""A day of traffic with the clock turned by hand, enriched by its access log: what it takes in memory does not grow.

Beside the recording there is in each minute what is new each time: resources, names and texts of filters that nobody has seen.

uv run python -m tests.faults.day [--hours 24] [--store native]
"""

import argparse
import gc
from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from milvus_otel_processor.config import load_config
from milvus_otel_processor.memory.decisions import decision_memory
from milvus_otel_processor.memory.limit import resident_memory
from milvus_otel_processor.service.garbage import tune_garbage_collection
from milvus_otel_processor.telemetry.counters import Telemetry

from tests.benchmarks.enrichment_cost import Nowhere, fresh_round
from tests.support import stores
from tests.support.enrichment import Bench
from tests.support.harness import assert_accounted, pipeline_of
from tests.support.spans import encoded, span

_TICKS = 60
_NEW = ((20, 50_000), (200, 500))
"""How many new texts there are in a minute, and how long they are: some too long to be remembered, some that caches take."""


class Hour(NamedTuple):
    """What there was at the end of an hour."""

    spans: int
    """That came since the start."""
    resident_mib: float
    waiting: int
    lines: int
    """Of the access log, in bytes."""
    decisions: int
    """That are remembered for late spans, in bytes; their cache takes hours to fill."""


class Settled(Nowhere):
    """Counts what it forgets as sent."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def put(self, trace: object) -> None:
        spans = len(trace)  # type: ignore[arg-type]
        self._telemetry.queued(spans)
        self._telemetry.exported(spans)


def hours(count: int, *, minutes: int = 60, seed: int = 0) -> Iterator[Hour]:
    """Let so many hours go by, of so many minutes each."""
    random, bench, telemetry = Random(seed), Bench(), Telemetry()
    sampling = load_config(None, environ={}).config.tail_sampling
    assert sampling is not None
    access_log = bench.enrichment.access_log
    assert access_log is not None
    pipeline, _ = pipeline_of(
        sampling, lambda _: bench.enrichment, exporter=Settled(telemetry), telemetry=telemetry, clock=bench.clock
    )
    for _ in range(count):
        for _ in range(minutes):
            load = fresh_round(random.getrandbits(64))
            access_log.ingest(load.logs)
            for request in (*load.requests, *_never_seen(random)):
                pipeline.ingest(request)
            for _ in range(_TICKS):
                bench.clock.now += 60 / _TICKS
                pipeline.tick()
        snapshot = telemetry.snapshot()
        assert_accounted(snapshot)
        yield Hour(
            snapshot.received_spans,
            round(resident_memory() / 2**20, 1),
            snapshot.waiting_spans,
            access_log.memory(),
            decision_memory(snapshot.decisions, sampling.decision_cache),
        )


def _never_seen(random: Random) -> Iterator[bytes]:
    for count, size in _NEW:
        for _ in range(count):
            text = random.randbytes(size // 2).hex()
            made = span(random.randrange(1, 1 << 60), name=f"request {text}", attributes={"db.statement": text})
            yield encoded(made, resource={"service.name": text[:40], "service.instance.id": text})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--store", choices=stores.KINDS, default=stores.kind())
    given = parser.parse_args()
    gc.collect()
    tune_garbage_collection()  # as in the program
    with stores.using(given.store):
        for number, hour in enumerate(hours(given.hours), start=1):
            print(f"hour {number}: {hour}", flush=True)  # noqa: T201 - a program that prints


if __name__ == "__main__":
    main()
