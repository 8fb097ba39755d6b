"""What it costs to count every request: CPU time for each span, with and without, in turns in one run.

    uv run python -m tests.benchmarks.requests_cost [--rounds 20] [--repeat 5] [--recording 2.5.24/busy] [--store native] [--plain]

The steps from the bytes of a request to the decision, as in `enrichment_cost`, with the built-in rules, enrichment and the access
log in both; nothing is exported. Without `--recording` it is that of Milvus 2.3.5. `--plain` leaves the access log out, as where
Milvus writes none: then nothing is known of most requests. The native store drops most traces by itself in all of these, and counts
their requests by itself: Python is asked once of each kind of them, and sees those that are kept.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from random import Random
from statistics import median
from typing import NamedTuple

from milvus_otel_processor.components import StageSettings
from milvus_otel_processor.config import load_config
from milvus_otel_processor.enrichment.settings import MilvusSettings
from milvus_otel_processor.sampling.policies import Clock as Clocks
from milvus_otel_processor.service.assemble import Assembled, assemble
from milvus_otel_processor.service.garbage import tune_garbage_collection
from milvus_otel_processor.telemetry.counters import Telemetry

from tests.benchmarks.enrichment_cost import Nowhere, Round, recorded_round, rounds
from tests.support import stores
from tests.support.clock import Clock

WALL_NS = 1_800_000_000 * 10**9


class Cost(NamedTuple):
    """Microseconds of CPU time for each span, how many requests were counted, and spans came."""

    span: float
    requests: int
    spans: int


class Parts:
    """The settings of a pipeline."""

    def __init__(self, *, counts: bool, log: bool) -> None:
        sampling = load_config(None, environ={}).config.tail_sampling
        assert sampling is not None
        self.tail_sampling = sampling.model_copy(update={"decision_wait": 10.0, "num_traces": 1 << 40})
        sources = ["client", "access_log", "channel"] if log else ["client", "channel"]
        self.milvus = MilvusSettings.model_validate(
            {"requests": {"enabled": counts}, "catalogue": {"enabled": False}, "sources": sources}
        )

    @property
    def stages(self) -> list[StageSettings]:
        return [StageSettings("milvus", self.milvus)]


def cost(load: list[Round], *, counts: bool, log: bool) -> Cost:
    """Send a load through, and measure it."""
    clock, telemetry = Clock(), Telemetry()
    made: Assembled = assemble(
        Parts(counts=counts, log=log),
        exporter=Nowhere(),
        telemetry=telemetry,
        clock=Clocks(clock, lambda: WALL_NS + int(clock() * 1e9)),
        random=Random(0),
        store_kind=stores.kind(),
    )
    assert made.enrichment is not None
    lines = made.enrichment.access_log
    began = time.process_time()
    for one in load:
        if lines is not None:
            lines.ingest(one.logs)
        for request in one.requests:
            made.pipeline.ingest(request)
        clock.now += 11
        made.pipeline.tick()
    spent = time.process_time() - began
    counted = 0
    if made.requests is not None:
        counted = sum(one.total for one in made.requests.counts.requests().values())
    return Cost(spent / telemetry.received_spans * 1e6, counted, telemetry.received_spans)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--recording", help="VERSION/NAME of a recording in tests/data")
    parser.add_argument("--store", choices=stores.KINDS, action="append", help="measure this store only")
    parser.add_argument("--plain", action="store_true", help="without an access log")
    arguments = parser.parse_args()
    load = recorded_round(arguments.recording) if arguments.recording else rounds(arguments.rounds)
    gc.collect()
    tune_garbage_collection()
    for kind in arguments.store or stores.KINDS:
        with stores.using(kind):
            pairs = [
                tuple(cost(load, counts=counts, log=not arguments.plain) for counts in (False, True))
                for _ in range(arguments.repeat)
            ]
        without, counted = min(pair[0] for pair in pairs), min(pair[1] for pair in pairs)
        differences = [pair[1].span - pair[0].span for pair in pairs]
        sys.stdout.write(
            f"{kind} store, {counted.spans} spans, {counted.requests} requests counted; µs of CPU a span, best of "
            f"{arguments.repeat}:\nwithout {without.span:.2f}, counted {counted.span:.2f}, difference "
            f"{counted.span - without.span:.2f}; of single pairs {median(differences):.2f} in the median\n"
        )


if __name__ == "__main__":
    main()
