"""What the page costs: CPU time of a processor without it, with it while nobody looks, and with one page open; and a trial.

    uv run python -m tests.benchmarks.page_cost [--mix busy] [--seconds 90] [--rate 60000] [--store native]

The three run at once, on one core, and each request goes to all of them, in shuffled turns. What each took is compared slice by
slice of ten seconds, so whatever else the machine does falls upon all of them alike. The open page asks for what the browser asks
for, every five seconds, in the views Now, Requests and Decisions, all of them at once: a reader looks at one. A trial replays the
rules and others on 100,000 spans. Linux alone.
"""

import argparse
import gc
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any

import grpc
from milvus_otel_processor.page.decided import Remembered
from milvus_otel_processor.page.recent import Request
from milvus_otel_processor.page.settings import PageSettings
from milvus_otel_processor.page.trial import WithRules, compared, try_out
from milvus_otel_processor.page.witness import Witness
from milvus_otel_processor.sampling.policies import Clock
from milvus_otel_processor.sampling.settings import TailSamplingSettings
from milvus_otel_processor.service.assemble import assemble
from milvus_otel_processor.spans.contract import Trace
from milvus_otel_processor.telemetry.counters import Telemetry

from tests.benchmarks.load import repeated, spans_in
from tests.benchmarks.processor.mixes import MIXES, load
from tests.benchmarks.processor.programs import Process, Program, cores, five_rules, started
from tests.benchmarks.processor.run import SERVICE, sink
from tests.peers.process import free_port
from tests.support.http import ask

_SECONDS_APART = 5.0
_POLLED = ("/now", "/requests?minutes=5&by=collection&sort=total_ms&limit=500", "/decisions?limit=100")
_SLICE, _WAIT = 10.0, 2.0
_FOREVER = 1 << 40
_LARGE = [("grpc.max_send_message_length", -1)]
_TRIED = 100_000
_SHARE = 1 / 1024
"""Of the traces that no policy wants, those that are remembered where one core decides nothing else: 50 of 38,000 a second."""


@dataclass(frozen=True)
class WithPage(Program):
    """The processor with its page at this port."""

    port: int = 0

    def _processor(self, port: int, sink: str, health: int) -> dict[str, object]:
        settings = super()._processor(port, sink, health)
        service = settings["service"]
        assert isinstance(service, dict)
        service["telemetry"]["page"] = {"endpoint": f"127.0.0.1:{self.port}"}
        return settings


def _open_page(port: int, ended: Event) -> None:
    """Ask as one page in the browser does, until the end."""
    while not ended.wait(_SECONDS_APART):
        for path in _POLLED:
            answer = ask(f"http://127.0.0.1:{port}/api/v1{path}")
            assert answer.status == 200, (path, answer)


class Slices:
    """The CPU time of several programs that take the same requests at once, a slice of time after the other."""

    def __init__(self, processes: Mapping[str, Process]) -> None:
        self._processes = processes
        self.took: dict[str, list[float]] = {name: [] for name in processes}
        self._before = self._now()

    def _now(self) -> dict[str, float]:
        return {name: process.cpu_seconds() for name, process in self._processes.items()}

    def cut(self) -> None:
        """End a slice, and begin the next."""
        now = self._now()
        for name, took in self.took.items():
            took.append(now[name] - self._before[name])
        self._before = now


def _load(processes: Mapping[str, Process], requests: Sequence[bytes], rate: float, seconds: float) -> Slices:
    """Send the requests to all, again and again under other trace ids, at so many spans a second to each."""
    with ExitStack() as stack:
        calls = {}
        for name, process in processes.items():
            channel = stack.enter_context(grpc.insecure_channel(process.endpoint, options=_LARGE))
            calls[name] = channel.unary_unary(f"/{SERVICE}/Export")
        counts = [spans_in([request]) for request in requests]
        order, random = list(calls), Random(1)
        slices, began, sent, cut = Slices(processes), time.monotonic(), 0, _SLICE
        for count, request in zip(cycle(counts), repeated(list(requests), _FOREVER), strict=False):
            passed = time.monotonic() - began
            if passed >= cut:
                slices.cut()
                cut += _SLICE
            if passed >= seconds:
                break
            random.shuffle(order)
            for name in order:
                calls[name](request, timeout=60)
            sent += count
            time.sleep(max(0.0, began + sent / rate - time.monotonic()))
        print(f"{sent / (time.monotonic() - began):,.0f} spans a second to each, {len(slices.took[order[0]])} slices")
    return slices


def _together(options: argparse.Namespace) -> None:
    rules, (ours, its) = five_rules(in_ottl=False), cores()
    ports = {"nobody looks": free_port(), "one page open": free_port()}
    requests = load(MIXES[options.mix], 100_000, options.request, 1)
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {ours})
    ended = Event()
    try:
        with ExitStack() as stack:
            taking = stack.enter_context(sink())
            programs = {"without the page": Program(options.store, rules, _WAIT)}
            for name, port in ports.items():
                programs[name] = WithPage(options.store, rules, _WAIT, port=port)
            processes = {}
            for name, program in programs.items():
                folder = Path(stack.enter_context(TemporaryDirectory()))
                processes[name] = stack.enter_context(started(program, folder, taking.endpoint, its))
            # What is remembered is full then, and the shares are chosen.
            _load(processes, requests, options.rate, 3 * _SLICE)
            looking = Thread(target=_open_page, args=[ports["one page open"], ended], daemon=True)
            looking.start()
            slices = _load(processes, requests, options.rate, options.seconds)
            ended.set()
            looking.join()
    finally:
        os.sched_setaffinity(0, before)
    _print(slices, options)


def _print(slices: Slices, options: argparse.Namespace) -> None:
    without = slices.took["without the page"]
    for name, took in slices.took.items():
        of_core = statistics.median(took) / _SLICE
        ratios = [one / other for one, other in zip(took, without, strict=True)]
        more = statistics.median(one - other for one, other in zip(took, without, strict=True)) / _SLICE
        print(
            f"{options.store}, {options.mix}, {name}: {of_core:.1%} of a core, {sum(took) / sum(without):.4f} times, by slices "
            f"{statistics.median(ratios):.4f} ({min(ratios):.3f}-{max(ratios):.3f}); {more:+.2%} of a core"
        )


class _Nowhere:
    def put(self, trace: Trace) -> None:
        """Take a kept trace, and forget it."""


def _passes(store: str, requests: list[bytes], witness: Witness | None) -> Callable[[], float]:
    """Return what runs the requests through a pipeline once, and says how much CPU time that took."""
    now = [0.0]
    rules = TailSamplingSettings.model_validate({**five_rules(in_ottl=False), "decision_wait": 1.0})
    made = assemble(
        WithRules(None, [], rules),
        exporter=_Nowhere(),
        telemetry=Telemetry(),
        clock=Clock(lambda: now[0], time.time_ns),
        store_kind="native" if store == "native" else "reference",
        witness=witness.decided if witness is not None else None,
    )
    ingest = made.pipeline.ingest if witness is None else witness.traces(made.pipeline.ingest)

    if witness is not None:
        witness.decided.one_in = Remembered(128, 1024, 512)  # what comes of so many
        made.pipeline.show(_SHARE, 0)

    def run_once() -> float:
        began = time.thread_time()
        for request in requests:
            ingest(request)
            now[0] += 0.2
            made.pipeline.tick()
        return time.thread_time() - began

    return run_once


def _inside(store: str, mix: str, rounds: int) -> None:
    requests = load(MIXES[mix], 60_000, 1000, 3)
    settings = PageSettings()
    without = _passes(store, requests, None)
    seen = _passes(store, requests, Witness(settings, None, Telemetry()))
    without(), seen()
    gc.collect()
    gc.disable()
    best = {without: float("inf"), seen: float("inf")}
    for number in range(rounds):
        for one in (without, seen) if number % 2 else (seen, without):
            best[one] = min(best[one], one())
    gc.enable()
    before, after = (took / spans_in(requests) * 1e6 for took in best.values())
    print(
        f"in process, {store}, {mix}, the quickest of {rounds}: {before:.3f} µs a span, {after:.3f} with what the page remembers: "
        f"{after / before:.4f} times"
    )


def rules_of(settings: dict[str, Any]) -> list[Any]:
    """Its policies."""
    found: list[Any] = settings["policies"]
    return found


def _trial(options: argparse.Namespace) -> None:
    requests = load(MIXES[options.mix], _TRIED, options.request, 7)
    spans = spans_in(requests)
    start = time.time_ns()
    recent = [Request(start + number * 100_000_000, content, False) for number, content in enumerate(requests)]
    in_force = {**five_rules(in_ottl=False), "decision_wait": 2.0}
    rules = TailSamplingSettings.model_validate(in_force)
    everything = [{"name": "all", "type": "always_sample"}]
    try_out(recent[:2], WithRules(None, [], rules), rules, rules)  # what is imported then, a processor has imported
    for words, other in (
        ("other policies", {**in_force, "policies": [*rules_of(in_force)[:2], *everything]}),
        ("another decision_wait", {**in_force, "decision_wait": 3.0}),
        ("everything kept", {"decision_wait": 2.0, "policies": everything}),
    ):
        tried = TailSamplingSettings.model_validate(other)
        began, before = time.perf_counter(), time.process_time()
        compared(*try_out(recent, WithRules(None, [], rules), rules, tried), 60.0)
        took, used = time.perf_counter() - began, time.process_time() - before
        print(
            f"a trial on {spans:,} spans of {options.mix}, {words}: {took:.2f} s, of which {used:.2f} s of CPU",
            flush=True,
        )


def main() -> None:
    """Measure, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mix", default="busy", choices=sorted(MIXES))
    parser.add_argument("--seconds", type=float, default=90.0)
    parser.add_argument("--rate", type=float, default=60_000.0, help="spans a second, to each of the three")
    parser.add_argument("--request", type=int, default=1024, help="spans in a request, about")
    parser.add_argument("--store", default="native", choices=["native", "reference"])
    parser.add_argument("--in-process", action="store_true", help="the pipeline alone, many short pairs; and the trial")
    options = parser.parse_args()
    _trial(options)
    if options.in_process:
        _inside(options.store, options.mix, 30)
        return
    _together(options)


if __name__ == "__main__":
    main()
