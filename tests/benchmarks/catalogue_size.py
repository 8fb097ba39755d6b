"""What a large catalogue does to spans: how late decisions are while 10,000 collections are read, and how much memory they take.

    uv run python -m tests.benchmarks.catalogue_size [--collections 10000] [--seconds 20]

A process of its own answers in Milvus' place, as fast as it can. Here runs the processor's pipeline with the catalogue's thread
beside it; every 5 ms a trace comes in, and what counts is how long after it was due its spans came out.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import grpc
from milvus_otel_processor.buffer import Buffer
from milvus_otel_processor.decider import Decider
from milvus_otel_processor.enrichment.component import Enrichment
from milvus_otel_processor.enrichment.settings import MilvusSettings
from milvus_otel_processor.limits import Limits
from milvus_otel_processor.pipeline import Pipeline
from milvus_otel_processor.sampling.settings import DecisionCacheSettings
from milvus_otel_processor.telemetry import Telemetry
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.enrichment.traces import line, logs, served, span
from tests.peers.waiting import wait_until

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

WAIT, PERIOD = 0.1, 0.005


def serve(count: int, ready: Connection) -> None:
    """Answer in Milvus' place, for `count` collections."""
    from pymilvus.grpc_gen import common_pb2, milvus_pb2, milvus_pb2_grpc, schema_pb2

    names = [f"collection_{number}" for number in range(count)]

    class Milvus(milvus_pb2_grpc.MilvusServiceServicer):  # type: ignore[misc]
        def ListDatabases(self, *_: Any) -> Any:  # noqa: N802
            return milvus_pb2.ListDatabasesResponse(db_names=["default"])

        def ShowCollections(self, *_: Any) -> Any:  # noqa: N802
            return milvus_pb2.ShowCollectionsResponse(collection_names=names, collection_ids=range(1, count + 1))

        def DescribeCollection(self, request: Any, _: Any) -> Any:  # noqa: N802
            vector = schema_pb2.FieldSchema(name="embedding", data_type=101)
            vector.type_params.append(common_pb2.KeyValuePair(key="dim", value="768"))
            return milvus_pb2.DescribeCollectionResponse(
                schema=schema_pb2.CollectionSchema(name=request.collection_name, fields=[vector]),
                collectionID=int(request.collection_name.rpartition("_")[2]) + 1,
                aliases=[f"alias_of_{request.collection_name}"],
            )

        def DescribeIndex(self, *_: Any) -> Any:  # noqa: N802
            index = milvus_pb2.IndexDescription(field_name="embedding")
            index.params.append(common_pb2.KeyValuePair(key="index_type", value="HNSW"))
            return milvus_pb2.DescribeIndexResponse(index_descriptions=[index])

        def GetCollectionStatistics(self, *_: Any) -> Any:  # noqa: N802
            return milvus_pb2.GetCollectionStatisticsResponse()

        def GetLoadState(self, *_: Any) -> Any:  # noqa: N802
            return milvus_pb2.GetLoadStateResponse(state=3)

        def GetReplicas(self, *_: Any) -> Any:  # noqa: N802
            return milvus_pb2.GetReplicasResponse()

        def ShowPartitions(self, *_: Any) -> Any:  # noqa: N802
            return milvus_pb2.ShowPartitionsResponse(partition_names=["_default"])

    server = grpc.server(ThreadPoolExecutor(2))
    milvus_pb2_grpc.add_MilvusServiceServicer_to_server(Milvus(), server)
    ready.send(server.add_insecure_port("127.0.0.1:0"))
    server.start()
    ready.recv()


class Outlet:
    """An exporter that notes when the spans of which trace came out."""

    def __init__(self) -> None:
        self.at: dict[bytes, float] = {}

    def put(self, spans: list[Any]) -> None:
        self.at[spans[0][1][2:18]] = time.perf_counter()


class Run:
    """The pipeline with a catalogue that may be read."""

    def __init__(self, port: int, *, reads: bool) -> None:
        catalogue = {"enabled": reads, "miss_interval": "10ms"}
        settings = MilvusSettings.model_validate({"uri": f"http://127.0.0.1:{port}", "catalogue": catalogue})
        self.telemetry, self.outlet, buffer = Telemetry(), Outlet(), Buffer(WAIT)
        self.enrichment = Enrichment(
            settings, self.telemetry, clock=time.monotonic, random=Random(1), is_waiting=buffer.entries.__contains__
        )
        decider = Decider(
            enricher=self.enrichment.enricher,
            sampler=None,
            cache_settings=DecisionCacheSettings(),
            exporter=self.outlet,
            telemetry=self.telemetry,
        )
        self.pipeline = Pipeline(
            buffer=buffer,
            limits=Limits(),
            wait_after_root=0.0,
            wait_after_complete=0.0,
            decider=decider,
            telemetry=self.telemetry,
            clock=time.monotonic,
        )
        self.tick = buffer.tick

    def lateness(self, seconds: float) -> list[float]:
        """How long after they were due the spans came out, in milliseconds."""
        over, sent = threading.Event(), {}
        ticker = threading.Thread(target=self._tick, args=(over,))
        self.enrichment.start()
        ticker.start()
        pause, until = threading.Event(), time.perf_counter() + seconds
        number = 0
        while time.perf_counter() < until:
            number += 1
            trace_id = number.to_bytes(16, "big")
            request, log = _trace(trace_id)
            assert self.enrichment.access_log is not None
            self.enrichment.access_log.ingest(log)
            sent[trace_id] = time.perf_counter()
            self.pipeline.ingest(request)
            pause.wait(PERIOD)
        wait_until(lambda: len(self.outlet.at) == number, "all traces to come out")
        over.set()
        ticker.join()
        return [(self.outlet.at[one] - at - WAIT) * 1000 for one, at in sent.items()]

    def _tick(self, over: threading.Event) -> None:
        while not over.wait(self.tick):
            self.pipeline.tick()


def _trace(trace_id: bytes) -> tuple[bytes, bytes]:
    request = ExportTraceServiceRequest()
    spans = [span(number, "SearchTask", parent=1, trace_id=trace_id) for number in range(2, 10)]
    request.resource_spans.add().scope_spans.add().spans.extend([served(1, "Search", trace_id=trace_id), *spans])
    return request.SerializeToString(), logs(line("Search", "collection_7", trace_id=trace_id.hex()))


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--collections", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=20.0)
    arguments = parser.parse_args()
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    milvus = multiprocessing.get_context("spawn").Process(target=serve, args=(arguments.collections, theirs))
    milvus.start()
    port = ours.recv()
    for reads in (False, True, False, True):
        run = Run(port, reads=reads)
        before = resident_mib()
        late = run.lateness(arguments.seconds)
        quantiles = statistics.quantiles(late, n=100)
        sys.stdout.write(
            f"catalogue {'read' if reads else 'not read'}: {len(late)} decisions, late by {quantiles[49]:.1f} ms in the middle, "
            f"{quantiles[98]:.1f} ms at p99; {len(run.enrichment.catalogue)} collections known, "
            f"{resident_mib() - before:.0f} MiB more\n"
        )
        run.enrichment.stop(5)
    ours.send("over")
    milvus.join()


if __name__ == "__main__":
    main()
