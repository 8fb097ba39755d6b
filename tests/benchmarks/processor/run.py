"""One run of one program under a load: what it cost, and what it kept."""

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.benchmarks.load import spans_in
from tests.benchmarks.processor.programs import Process, Program, cores, started
from tests.benchmarks.processor.results import Run

SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"
_QUIET = 1.25
"""Seconds without work, or anything that comes out, after which all is decided: ticks and batches are shorter."""
_IDLE = 0.05
"""Seconds of CPU time in that time that are no work."""
_LONGEST = 60.0


class Sink:
    """Takes what is exported, and remembers when it came."""

    def __init__(self) -> None:
        self.endpoint = ""
        self.came: list[tuple[float, bytes]] = []

    def export(self, request: bytes, _: grpc.ServicerContext) -> bytes:
        """Serve one Export call."""
        self.came.append((time.monotonic(), request))
        return b""

    def ids(self) -> dict[bytes, float]:
        """The trace ids, each with the time at which the first of its spans came."""
        found: dict[bytes, float] = {}
        for when, request in self.came:
            for trace_id in trace_ids(request):
                found.setdefault(trace_id, when)
        return found


@contextmanager
def sink() -> Iterator[Sink]:
    """A sink that listens."""
    taking = Sink()
    server = grpc.server(ThreadPoolExecutor(2), options=[("grpc.max_receive_message_length", -1)])
    handlers = {"Export": grpc.unary_unary_rpc_method_handler(taking.export)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    taking.endpoint = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield taking
    finally:
        server.stop(None).wait()


def trace_ids(request: bytes) -> Iterator[bytes]:
    """The trace ids of the spans in a request."""
    for resource_spans in ExportTraceServiceRequest.FromString(request).resource_spans:
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                yield span.trace_id


def send(process: Process, requests: Sequence[bytes], spans_per_second: float = 0.0) -> list[float]:
    """Send requests one after the other, at a rate where one is given; return when each was taken. Raises where one is refused."""
    taken = []
    spans = [spans_in([request]) for request in requests] if spans_per_second else [0] * len(requests)
    options = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(process.endpoint, options=options) as channel:
        export = channel.unary_unary(f"/{SERVICE}/Export")
        started_at, sent = time.monotonic(), 0
        for request, size in zip(requests, spans, strict=True):
            if spans_per_second:
                time.sleep(max(0.0, started_at + sent / spans_per_second - time.monotonic()))
                sent += size
            refused = ExportTraceServiceResponse.FromString(export(request, timeout=60)).partial_success.rejected_spans
            if refused:
                raise RuntimeError(f"{refused} spans were refused")
            taken.append(time.monotonic())
    return taken


@contextmanager
def on_its_own_core(program: Program) -> Iterator[tuple[Process, Sink]]:
    """Run a program on one core, while all of this process is on the other."""
    ours, its = cores()
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {ours})
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            sink() as taking,
            started(program, Path(folder), taking.endpoint, its) as process,
        ):
            yield process, taking
    finally:
        os.sched_setaffinity(0, before)


def wait_until_decided(program: Program, process: Process, taking: Sink) -> None:
    """Return when all that was sent is decided, and what is kept has come out."""
    time.sleep(program.decision_wait)
    before, deadline = (-1.0, -1), time.monotonic() + _LONGEST
    while True:
        now = process.cpu_seconds(), len(taking.came)
        if now[0] - before[0] < _IDLE and now[1] == before[1]:
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"{program.name} is still at work after {_LONGEST:g} s")
        before = now
        time.sleep(_QUIET)


def measure(program: Program, warm: Sequence[bytes], requests: Sequence[bytes]) -> tuple[Run, set[bytes]]:
    """Run one program under the load, once it is warm, until all is decided; return also the ids of the traces that came out."""
    with on_its_own_core(program) as (process, taking):
        idle = process.mib()
        send(process, warm)
        wait_until_decided(program, process, taking)
        taking.came.clear()
        before, begin = process.cpu_seconds(), time.monotonic()
        taken = send(process, requests)
        duration = time.monotonic() - begin
        wait_until_decided(program, process, taking)
        used, peak = process.cpu_seconds() - before, process.peak_mib()
        kept = taking.ids()
    spans = spans_in(list(requests))
    # Backwards, so that what counts is when the first span of a trace was taken.
    sent = zip(reversed(requests), reversed(taken), strict=True)
    came = {trace_id: when for request, when in sent for trace_id in trace_ids(request)}
    late = [when - came[trace_id] - program.decision_wait for trace_id, when in kept.items()]
    run = Run(
        program=program.title,
        spans=spans,
        microseconds_per_span=used / spans * 1e6,
        idle_mib=idle,
        peak_mib=peak,
        spans_per_second=spans / duration,
        decision_latency=median(late) if late else 0.0,
        kept=len(kept),
    )
    return run, set(kept)
