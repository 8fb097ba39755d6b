"""What enrichment costs: CPU time for each span of the recorded mix, with and without it, in one run.

    uv run python -m tests.benchmarks.enrichment_cost [--rounds 40] [--repeat 5] [--recording 2.6.16/load-8x0.02] [--store native]

The steps from the bytes of a request to the decision run in this process, one thread, nothing is exported. With enrichment
there is a line of the access log for each request, which is parsed and held, and a catalogue that knows the collections. The
rules do not ask for what enrichment writes, so that both runs keep the same traces but for the failed ones.

Without `--recording` it is that of Milvus 2.3.5, whose lines have trace ids. With one of `tests/data/README.md`, whose lines have
none, it is sent once: `2.6.16/load-8x0.02` is 350 requests a second on one connection, `2.5.24/busy` 300 on four, one in ten of
which fails. Without `--store` each store that is installed is measured, in turns.
"""

from __future__ import annotations

import argparse
import gc
import re
import sys
import time
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from milvus_otel_processor.config import load_config
from milvus_otel_processor.enrichment.catalogue.collection import Collection, VectorField
from milvus_otel_processor.service.garbage import tune_garbage_collection
from milvus_otel_processor.telemetry.counters import Telemetry

from tests.support import recorded_enrichment as recorded
from tests.support import stores
from tests.support.enrichment import Bench, logs
from tests.support.harness import pipeline_of
from tests.support.recordings import Recording

_TRACE_ID = re.compile(rb"\n\x10(?=.{16}\x12\x08)", re.DOTALL)
_LINE_ID = re.compile(r"\t([0-9a-f]{32})\t")


class Nowhere:
    """An exporter that takes and forgets."""

    def put(self, trace: object) -> None:
        del trace


@dataclass
class Round:
    """One pass over the recording, with trace ids of its own."""

    requests: list[bytes]
    logs: bytes


def rounds(count: int) -> list[Round]:
    random = Random(1)  # the same trace ids each time, so that the same ones are kept
    return [fresh_round(random.getrandbits(64)) for _ in range(count)]


def fresh_round(mask: int) -> Round:
    """The recording with other trace ids, by a mask of 64 bits."""
    fresh = []
    for request in recorded.requests():
        changed = bytearray(request)
        for match in _TRACE_ID.finditer(request):
            at = match.end()
            changed[at : at + 8] = (int.from_bytes(request[at : at + 8]) ^ mask).to_bytes(8)
        fresh.append(bytes(changed))
    return Round(fresh, logs(*(_with_mask(line, mask) for line in recorded.lines())))


def recorded_round(name: str) -> list[Round]:
    """One recording as it is."""
    version, _, of_version = name.partition("/")
    recording = Recording(version, of_version)
    return [Round(list(recording.requests), logs(*recording.lines))]


def _with_mask(line: str, mask: int) -> str:
    def masked(match: re.Match[str]) -> str:
        text = match[1]
        return f"\t{int(text[:16], 16) ^ mask:016x}{text[16:]}\t"

    return _LINE_ID.sub(masked, line)


class Cost(NamedTuple):
    """Microseconds of CPU time for each span, those of taking in log lines among them; how many spans were enriched, and came."""

    span: float
    log: float
    enriched: int
    spans: int


def cost(load: list[Round], *, enriched: bool) -> Cost:
    """Send a load through, and measure it."""
    bench = Bench()
    for number, name in enumerate(("products", "articles")):
        vector = VectorField("embedding", 64, "AUTOINDEX", "COSINE")
        bench.know(Collection(number, "default", name, shard_count=1, row_count=1000, vector_fields=(vector,)))
    sampling = load_config(None, environ={}).config.tail_sampling
    assert sampling is not None
    telemetry = Telemetry()
    pipeline, store = pipeline_of(
        sampling.model_copy(update={"decision_wait": 10.0, "num_traces": 1 << 40}),
        lambda _: bench.enrichment if enriched else None,
        exporter=Nowhere(),
        telemetry=telemetry,
        clock=bench.clock,
    )
    bench.waiting = store  # so that a line whose trace waits is no other's, as in the service
    log_seconds = 0.0
    began = time.process_time()
    for one in load:
        if enriched:
            before = time.process_time()
            assert bench.enrichment.access_log is not None
            bench.enrichment.access_log.ingest(one.logs)
            log_seconds += time.process_time() - before
        for request in one.requests:
            pipeline.ingest(request)
        bench.clock.now += 11
        pipeline.tick()
    spent = time.process_time() - began
    spans = telemetry.received_spans
    return Cost(spent / spans * 1e6, log_seconds / spans * 1e6, sum(bench.telemetry.enriched_spans.values()), spans)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--recording", help="VERSION/NAME of a recording in tests/data")
    parser.add_argument("--store", choices=stores.KINDS, action="append", help="measure this store only")
    arguments = parser.parse_args()
    load = recorded_round(arguments.recording) if arguments.recording else rounds(arguments.rounds)
    gc.collect()
    tune_garbage_collection()
    kinds = arguments.store or stores.KINDS
    costs: dict[str, tuple[list[Cost], list[Cost]]] = {kind: ([], []) for kind in kinds}
    for _ in range(arguments.repeat):
        for kind in kinds:
            with stores.using(kind):
                for enriched, measured in enumerate(costs[kind]):
                    measured.append(cost(load, enriched=bool(enriched)))
    for kind, (without, with_it) in costs.items():
        best, least = min(with_it), min(without)
        sys.stdout.write(
            f"{kind} store, {best.spans} spans, {best.enriched} of them enriched; best of {arguments.repeat}, µs of CPU a span:\n"
            f"without {least.span:.2f}, with {best.span:.2f}, difference {best.span - least.span:.2f}, "
            f"log lines {best.log:.2f} of it\n"
        )


if __name__ == "__main__":
    main()
