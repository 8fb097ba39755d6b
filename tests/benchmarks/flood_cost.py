"""What a span costs that is dropped at the door: woodpecker's flood, in µs of CPU.

    uv run python -m tests.benchmarks.flood_cost [--rounds 3] [--repeat 5] [--store native]

Milvus 2.6 with its own message queue, woodpecker, on local storage emits 3,000 spans a second of its work with files. The recording
`woodpecker-idle` is sent again and again with other trace ids, from the bytes of a request to the decision: in this process, one
thread, built-in rules, enrichment on. `flood` are those spans alone; `all` is the recording as it came, with what else an idle
Milvus does.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from random import Random

from milvus_otel_processor.config import load_config
from milvus_otel_processor.service.garbage import tune_garbage_collection
from milvus_otel_processor.telemetry.counters import Telemetry
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.benchmarks.enrichment_cost import Nowhere
from tests.benchmarks.load import repeated
from tests.support import stores
from tests.support.enrichment import Bench
from tests.support.harness import pipeline_of
from tests.support.recordings import Recording

RECORDING = Recording("2.6.16", "woodpecker-idle")
POLICY = ("dropped", "milvus-woodpecker")
"""What the flood is dropped by."""
FLOOD = frozenset(("Sync", "checkFenceFlagFileExists", "processFlushTask"))


def flood(request: bytes) -> bytes:
    """The request with the spans of woodpecker's work with files alone."""
    message = ExportTraceServiceRequest.FromString(request)
    for resource_spans in message.resource_spans:
        for scope_spans in resource_spans.scope_spans:
            kept = [span for span in scope_spans.spans if span.name in FLOOD and not span.parent_span_id]
            del scope_spans.spans[:]
            scope_spans.spans.extend(kept)
    return message.SerializeToString()


def cost(requests: list[bytes], rounds: int) -> tuple[float, Telemetry]:
    """Send all of them so often; return the µs of CPU for a span, and what was counted."""
    bench, telemetry = Bench(), Telemetry()
    sampling = load_config(None, environ={}).config.tail_sampling
    assert sampling is not None
    pipeline, _ = pipeline_of(
        sampling, lambda _: bench.enrichment, exporter=Nowhere(), telemetry=telemetry, clock=bench.clock
    )
    sent = list(repeated(requests, rounds, Random(1).randbytes))
    gc.collect()
    began = time.process_time()
    for request in sent:
        pipeline.ingest(request)
        bench.clock.now += 0.2  # the Collector's batches
        pipeline.tick()
    bench.clock.now += sampling.decision_wait + 1
    pipeline.tick()
    return (time.process_time() - began) / telemetry.received_spans * 1e6, telemetry


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--store", choices=stores.KINDS, action="append", help="measure this store only")
    arguments = parser.parse_args()
    loads = {"flood": list(map(flood, RECORDING.requests)), "all": list(RECORDING.requests)}
    tune_garbage_collection()
    for kind in arguments.store or stores.KINDS:
        for name, requests in loads.items():
            with stores.using(kind):
                best, telemetry = min(
                    (cost(requests, arguments.rounds) for _ in range(arguments.repeat)), key=lambda one: one[0]
                )
            dropped = telemetry.snapshot().decisions[POLICY].spans
            sys.stdout.write(
                f"{kind} store, {name}: {best:.2f} µs of CPU a span, best of {arguments.repeat}; {telemetry.received_spans} spans, "
                f"{dropped} of them dropped as the flood\n"
            )


if __name__ == "__main__":
    main()
