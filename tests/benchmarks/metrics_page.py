"""How large the page for Prometheus is with many series of requests, and how much CPU time it takes.

    uv run python -m tests.benchmarks.metrics_page [--series 2000] [--requests 20] [--kept 0.1] [--store native]

Each series is a collection of its own, and each request has all stages: the worst there is. Beside it the same by OTLP, encoded.
"""

from __future__ import annotations

import argparse
import gzip
import sys
import time
from random import Random
from typing import TYPE_CHECKING

from milvus_otel_processor.requests.component import make_counts
from milvus_otel_processor.requests.record import STAGES, Record, Series
from milvus_otel_processor.requests.settings import RequestsSettings
from milvus_otel_processor.service.garbage import tune_garbage_collection
from milvus_otel_processor.telemetry.exposition import exposition
from milvus_otel_processor.telemetry.otlp import metrics_data
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from tests.support import stores
from tests.support.exposition import written
from tests.support.request_records import source_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from milvus_otel_processor.telemetry.family import Source

FORMATS = {False: "text", True: "OpenMetrics"}


def counted(arguments: argparse.Namespace) -> Source:
    """Return the source of the metrics of so many requests."""
    tune_garbage_collection()
    random = Random(1)
    counts = make_counts(stores.kind(), RequestsSettings(max_series=arguments.series))
    counts.count_exponentially(True)
    for collection in range(arguments.series):
        number = counts.series.number(Series("default", f"collection_{collection}", "Search", "", "shop"))
        for _ in range(arguments.requests):
            times = tuple(int(random.lognormvariate(14, 2)) + 1 for _ in STAGES)
            kept = random.random() < arguments.kept
            counts.add(Record(number, sum(times), times, kept, random.randbytes(16), time.time_ns()))
    return source_of(counts)


def taken(make: Callable[[], bytes]) -> tuple[bytes, float]:
    """Return what is made, and the seconds of CPU time that it takes: the least of three."""
    best, made = float("inf"), b""
    for _ in range(3):
        began = time.process_time()
        made = make()
        best = min(best, time.process_time() - began)
    return made, best


def by_otlp(source: Source, *, exponential: bool) -> bytes:
    """Return what is sent."""
    data = metrics_data(source(exponential), Resource({}), InstrumentationScope("x"), 1, 2)
    return encode_metrics(data).SerializeToString()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=2000)
    parser.add_argument("--requests", type=int, default=20, help="of each series")
    parser.add_argument("--kept", type=float, default=0.1, help="the share of requests that are kept")
    parser.add_argument("--store", choices=stores.KINDS, default=stores.KINDS[-1])
    arguments = parser.parse_args()
    with stores.using(arguments.store):
        source = counted(arguments)
    made: dict[str, Callable[[], bytes]] = {
        name: lambda form=form: b"".join(exposition(source(False), open_metrics=form))  # type: ignore[misc]
        for form, name in FORMATS.items()
    }
    for form in (False, True):
        made[f"the same by prometheus_client, {FORMATS[form]}"] = lambda form=form: written(  # type: ignore[misc]
            list(source(False)), open_metrics=form
        )
    made["OTLP"] = lambda: by_otlp(source, exponential=False)
    made["OTLP, exponential"] = lambda: by_otlp(source, exponential=True)
    made["nothing but reading the counts"] = lambda: bytes(len([list(one.points) for one in source(False)]))
    for name, make in made.items():
        content, seconds = taken(make)
        began = time.process_time()
        small = gzip.compress(content, 1)
        zipping = time.process_time() - began
        sys.stdout.write(
            f"{name}: {len(content) / 1e6:.2f} MB, {seconds:.2f} s; with gzip {len(small) / 1e6:.2f} MB, "
            f"{zipping:.2f} s more\n"
        )


if __name__ == "__main__":
    main()
