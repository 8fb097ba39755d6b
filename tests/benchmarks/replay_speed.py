"""How fast a replay is: spans a second of one core, of the recorded mix, without the extra columns.

    uv run python -m tests.benchmarks.replay_speed [--times 60]

The recording is written several times behind itself, with other trace ids, 30 s apart. CPU time of this process, reading
included; each store that is installed, twice.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from time import process_time

from milvus_otel_processor.config import load_config
from milvus_otel_processor.replay.recording import read
from milvus_otel_processor.replay.runner import Run
from milvus_otel_processor.spans.stores import NATIVE, REFERENCE, StoreKind, chosen
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.recorded import FOLDER
from tests.support.recordings import messages

_APART_NS = 30 * 10**9
_SIZE_BYTES = 4


def write(target: Path, times: int) -> None:
    """Write the recording so many times, each with ids and times of its own."""
    requests = list(messages((FOLDER / "traces.binpb").read_bytes()))
    with target.open("wb") as file:
        for number in range(times):
            for data in requests:
                request = ExportTraceServiceRequest.FromString(data)
                for group in request.resource_spans:
                    for scope in group.scope_spans:
                        for span in scope.spans:
                            span.trace_id = number.to_bytes(2, "big") + span.trace_id[2:]
                            span.start_time_unix_nano += number * _APART_NS
                            span.end_time_unix_nano += number * _APART_NS
                written = request.SerializeToString()
                file.write(len(written).to_bytes(_SIZE_BYTES, "big") + written)


def main() -> None:
    """Print what each store takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=60)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "traces.binpb"
        write(file, parser.parse_args().times)
        kinds: list[StoreKind] = [NATIVE, REFERENCE] if chosen("auto") == NATIVE else [REFERENCE]
        for kind in kinds:
            for _ in range(2):
                run = Run(load_config(None, environ={}).config, store_kind=kind)
                began = process_time()
                spans = run.play([read(file)]).counted.received_spans
                took = process_time() - began
                print(f"{kind}: {spans:,} spans, {spans / took:,.0f} a second, {took / spans * 1e6:.2f} µs of CPU each")


if __name__ == "__main__":
    main()
