"""A Milvus with very many collections, and the processor's pipeline with its catalogue beside it.

What answers in Milvus' place is a gRPC server with pymilvus' own messages, in a process of its own, as fast as it can: a real
Milvus takes longer to make 10,000 collections than anyone waits for a test.
"""

from __future__ import annotations

import gc
import multiprocessing
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from random import Random
from typing import TYPE_CHECKING, Any

import grpc
from milvus_otel_processor.enrichment.catalogue.refresher import REFRESHED
from milvus_otel_processor.enrichment.component import Enrichment
from milvus_otel_processor.enrichment.settings import MilvusSettings
from milvus_otel_processor.telemetry.counters import Telemetry
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.peers.waiting import wait_until
from tests.support.enrichment import line, logs, served, span
from tests.support.harness import pipeline_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection

    from milvus_otel_processor.spans.contract import Trace

WAIT, PERIOD = 0.1, 0.005


@contextmanager
def milvus_with(collections: int) -> Iterator[int]:
    """The port on which something answers in Milvus' place, for so many collections.

    In this process no garbage is collected meanwhile, nor often in `milvus-otel run`: what else is in it would be looked through.
    """
    processes = multiprocessing.get_context("spawn")
    ours, theirs = processes.Pipe()
    milvus = processes.Process(target=_serve, args=(collections, theirs))
    milvus.start()
    theirs.close()
    collected = gc.isenabled()
    gc.disable()
    try:
        yield ours.recv()
    finally:
        if collected:
            gc.enable()
        ours.send("over")
        milvus.join()


def _serve(count: int, ready: Connection) -> None:
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
                num_partitions=1,
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

    server = grpc.server(ThreadPoolExecutor(2))
    milvus_pb2_grpc.add_MilvusServiceServicer_to_server(Milvus(), server)
    ready.send(server.add_insecure_port("127.0.0.1:0"))
    server.start()
    ready.recv()


class Outlet:
    """An exporter that notes when the spans of which trace came out."""

    def __init__(self) -> None:
        self.at: dict[bytes, float] = {}

    def put(self, trace: Trace) -> None:
        self.at[trace.id] = time.perf_counter()


class Run:
    """A pipeline whose catalogue reads Milvus from `start` to `stop`; every `period` seconds a trace comes in."""

    def __init__(self, port: int, collections: int, **catalogue: Any) -> None:
        settings = MilvusSettings.model_validate({"uri": f"http://127.0.0.1:{port}", "catalogue": catalogue})
        self._collections = collections
        self._telemetry, self._outlet = Telemetry(), Outlet()
        self._sent = 0
        self.enrichment = Enrichment(
            settings, self._telemetry, clock=time.monotonic, random=Random(1), is_waiting=self._is_waiting
        )
        self._pipeline, self._store = pipeline_of(
            None,
            lambda _: self.enrichment,
            exporter=self._outlet,
            telemetry=self._telemetry,
            clock=time.monotonic,
            wait=WAIT,
        )

    @property
    def listings(self) -> int:
        """How often Milvus has told which collections there are."""
        return self._telemetry.catalogue_refreshes[REFRESHED]

    def lateness(self, goes_on: Callable[[], bool], period: float = PERIOD) -> list[float]:
        """How long after they were due the spans came out, in milliseconds, of the traces that came while `goes_on` held."""
        over, pause, sent = threading.Event(), threading.Event(), {}
        ticker = threading.Thread(target=self._tick, args=(over,))
        ticker.start()
        try:
            while goes_on():
                self._sent += 1
                trace_id = self._sent.to_bytes(16, "big")
                request, log = _trace(trace_id, f"collection_{self._sent * 7919 % self._collections}")
                assert self.enrichment.access_log is not None
                self.enrichment.access_log.ingest(log)
                sent[trace_id] = time.perf_counter()
                self._pipeline.ingest(request)
                pause.wait(period)
            wait_until(lambda: len(self._outlet.at) == self._sent, "all traces to come out")
        finally:
            over.set()
            ticker.join()
        return [(self._outlet.at[one] - at - WAIT) * 1000 for one, at in sent.items()]

    def _is_waiting(self, trace_id: bytes) -> bool:
        return trace_id in self._store

    def _tick(self, over: threading.Event) -> None:
        while not over.wait(self._store.tick):
            self._pipeline.tick()


def lasting(seconds: float) -> Callable[[], bool]:
    """Whether it is less than so many seconds from now."""
    until = time.perf_counter() + seconds
    return lambda: time.perf_counter() < until


def p99(numbers: list[float]) -> float:
    """The number that 99% are below."""
    return statistics.quantiles(numbers, n=100)[98]


def _trace(trace_id: bytes, collection: str) -> tuple[bytes, bytes]:
    request = ExportTraceServiceRequest()
    spans = [span(number, "SearchTask", parent=1, trace_id=trace_id) for number in range(2, 10)]
    request.resource_spans.add().scope_spans.add().spans.extend([served(1, "Search", trace_id=trace_id), *spans])
    return request.SerializeToString(), logs(line("Search", collection, trace_id=trace_id.hex()))
