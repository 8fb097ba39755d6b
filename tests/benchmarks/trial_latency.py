"""How late decisions are while rules are tried: the 99th percentile with trials one after the other, and without.

    uv run python -m tests.benchmarks.trial_latency [--store native] [--rate 10000] [--seconds 20] [--pairs 3]

A processor with its page takes the mix at this rate, and forty times a second a trace of one failed span beside it, which the rules
keep. How late that arrives at the exporter's peer, behind `decision_wait`, is how late it was decided, with what the batch waits
for others (0.2 s at most). Times with trials of other rules on the latest 100,000 spans or so, one after the other, and times
without take turns. Ends with status 1 where the 99th percentile rises by more than 100 ms. Linux alone.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from tests.benchmarks.load import repeated, spans_in
from tests.benchmarks.page_cost import WithPage
from tests.benchmarks.processor.mixes import MIXES, load
from tests.benchmarks.processor.programs import cores, five_rules, started
from tests.benchmarks.processor.run import SERVICE
from tests.peers.process import free_port
from tests.support.http import ask

_WAIT = 2.0
_PROBES_APART = 0.025
_MOST_RISE = 0.1
_FOREVER = 1 << 40
_LARGE = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
_OURS = b"\xf0\x0d\xf0\x0d"
"""How the trace ids of the probes begin."""
_TRIED = (
    "decision_wait: 2s\npolicies:\n"
    "  - {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}\n"
    "  - {name: slow, type: latency, latency: {threshold_ms: 100}}\n"
    "  - {name: some, type: probabilistic, probabilistic: {sampling_percentage: 20}}\n"
)


class Probes:
    """Traces of one failed span each, when they were sent, and how late they arrived."""

    def __init__(self) -> None:
        self._sent: dict[bytes, tuple[float, list[float]]] = {}
        self._numbers = count(1)
        self.late: list[float] = []
        """Where probes that are sent now are noted; seconds."""

    def next(self) -> bytes:
        """Return a request with the next probe."""
        trace_id = _OURS + next(self._numbers).to_bytes(12, "big")
        now = time.time_ns()
        span = Span(
            trace_id=trace_id,
            span_id=trace_id[:8],
            name="probe",
            start_time_unix_nano=now,
            end_time_unix_nano=now + 1,
            status=Status(code=Status.STATUS_CODE_ERROR),
        )
        request = ExportTraceServiceRequest(resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=[span])])])
        self._sent[trace_id] = (time.monotonic(), self.late)
        return request.SerializeToString()

    def arrived(self, request: bytes, _: grpc.ServicerContext) -> bytes:
        """Take what the processor exports."""
        now, at = time.monotonic(), request.find(_OURS)
        while at >= 0:
            sent, late = self._sent.pop(request[at : at + 16], (0.0, None))
            if late is not None:
                late.append(now - sent - _WAIT)
            at = request.find(_OURS, at + 1)
        return b""

    @contextmanager
    def listening(self) -> Iterator[str]:
        """Take what comes at the address that is given."""
        server = grpc.server(ThreadPoolExecutor(2), options=_LARGE)
        handlers = {"Export": grpc.unary_unary_rpc_method_handler(self.arrived)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            server.stop(None).wait()


def _send_probes(probes: Probes, endpoint: str, ended: Event) -> None:
    with grpc.insecure_channel(endpoint) as channel:
        export = channel.unary_unary(f"/{SERVICE}/Export")
        while not ended.wait(_PROBES_APART):
            export(probes.next(), timeout=60)


def _send_load(requests: list[bytes], endpoint: str, rate: float, ended: Event) -> None:
    average = spans_in(requests) / len(requests)
    with grpc.insecure_channel(endpoint, options=_LARGE) as channel:
        export = channel.unary_unary(f"/{SERVICE}/Export")
        began = time.monotonic()
        for number, request in enumerate(repeated(requests, _FOREVER)):
            if ended.wait(max(0.0, began + number * average / rate - time.monotonic())):
                break
            export(request, timeout=60)


def _try_out(api: str, until: float) -> Iterator[tuple[int, float]]:
    """Try other rules, one trial after the other; yield how many spans each had, and the seconds it took."""
    while time.monotonic() < until:
        begun = ask(f"{api}/try", _TRIED.encode(), content_type="application/yaml")
        assert begun.status < 300, begun
        state = begun.json()
        while state.get("state") != "done":
            assert state.get("state") in {"running", None}, state
            time.sleep(0.05)
            state = ask(f"{api}/try").json()
        yield state["result"]["spans"], state["result"]["took_seconds"]


def _p99(late: list[float]) -> float:
    return statistics.quantiles(late, n=100)[98]


def _phase(probes: Probes, seconds: float, act: Callable[[float], object]) -> float:
    late: list[float] = []
    probes.late = late
    until = time.monotonic() + seconds
    act(until)
    time.sleep(max(0.0, until - time.monotonic()))
    probes.late = []
    time.sleep(_WAIT + 1)  # until the last of them have arrived
    print(
        f"  {len(late)} traces, median {statistics.median(late) * 1e3:,.0f} ms late, p99 {_p99(late) * 1e3:,.0f} ms",
        flush=True,
    )
    return _p99(late)


def _measure(options: argparse.Namespace, probes: Probes, api: str) -> float:
    """Return by how much the 99th percentile rises, the median of all pairs; seconds."""
    rises = []

    def trials(until: float) -> None:
        done = list(_try_out(api, until))
        spans, took = zip(*done, strict=True)
        print(
            f"  {len(done)} trials on {min(spans):,} to {max(spans):,} spans, {min(took):.2f} to {max(took):.2f} s each"
        )

    for pair in range(options.pairs):
        print(f"pair {pair + 1}: without trials, with trials")
        without = _phase(probes, options.seconds, lambda _: None)
        rises.append(_phase(probes, options.seconds, trials) - without)
    return statistics.median(rises)


def main() -> None:
    """Measure, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mix", default="busy", choices=sorted(MIXES))
    parser.add_argument("--store", default="native", choices=["native", "reference"])
    parser.add_argument("--rate", type=float, default=10_000.0, help="spans a second")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each phase")
    parser.add_argument("--pairs", type=int, default=3)
    options = parser.parse_args()
    ours, its = cores()
    requests, port, probes, ended = load(MIXES[options.mix], 60_000, 500, 1), free_port(), Probes(), Event()
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {ours})
    try:
        with ExitStack() as stack:
            sink = stack.enter_context(probes.listening())
            folder = Path(stack.enter_context(TemporaryDirectory()))
            program = WithPage(options.store, five_rules(in_ottl=False), _WAIT, port=port)
            process = stack.enter_context(started(program, folder, sink, its))
            for target, its_arguments in (
                (_send_load, (list(requests), process.endpoint, options.rate, ended)),
                (_send_probes, (probes, process.endpoint, ended)),
            ):
                thread = Thread(target=target, args=its_arguments, daemon=True)
                thread.start()
                stack.callback(thread.join)
            stack.callback(ended.set)
            time.sleep(110_000 / options.rate)  # until as much as is tried is remembered
            rise = _measure(options, probes, f"http://127.0.0.1:{port}/api/v1")
    finally:
        os.sched_setaffinity(0, before)
    print(
        f"{options.store}, {options.mix}, {options.rate:,.0f} spans a second: with trials the p99 is {rise * 1e3:+,.0f} ms"
    )
    sys.exit(rise > _MOST_RISE)


if __name__ == "__main__":
    main()
