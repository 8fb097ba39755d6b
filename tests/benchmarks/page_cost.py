"""What the page costs: CPU time of a processor without it, with it while nobody looks, and with one page open; and a trial.

    uv run python -m tests.benchmarks.page_cost [--mix busy] [--pairs 3] [--store native]

The three run in turns under the same load, each as a process on a core of its own. The open page asks for what the views Now and
Decisions ask for, every five seconds. A trial replays the rules and others on 100,000 spans. Linux alone.
"""

import argparse
import gc
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Event, Thread

from milvus_otel_processor.page.recent import Request
from milvus_otel_processor.page.settings import PageSettings
from milvus_otel_processor.page.trial import WithRules, compared, run
from milvus_otel_processor.page.witness import Witness
from milvus_otel_processor.sampling.policies import Clock
from milvus_otel_processor.sampling.settings import TailSamplingSettings
from milvus_otel_processor.service.assemble import assemble
from milvus_otel_processor.spans.contract import Trace
from milvus_otel_processor.telemetry.counters import Telemetry

from tests.benchmarks.load import spans_in
from tests.benchmarks.processor.mixes import MIXES, load
from tests.benchmarks.processor.programs import Program, five_rules
from tests.benchmarks.processor.run import measure
from tests.peers.process import free_port
from tests.support.http import ask

_REQUEST = 8192
_SECONDS_APART = 5.0
_TRIED = 100_000
_SHARE = 1 / 256
"""Of the traces that no policy wants, those that are remembered where one core decides nothing else: 200 of 38,000 a second."""


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


@contextmanager
def _open_page(port: int) -> Iterator[None]:
    ended = Event()

    def look() -> None:
        while not ended.wait(_SECONDS_APART):
            for path in ("now", "decisions"):
                with suppress(OSError):  # it is not up yet, or not any more
                    ask(f"http://127.0.0.1:{port}/api/v1/{path}")

    thread = Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _three(store: str, warm: list[bytes], requests: list[bytes], wait: float) -> Iterator[tuple[str, float, float]]:
    rules = five_rules(in_ottl=False)
    plain: Callable[[], Program] = lambda: Program(store, rules, wait)  # noqa: E731
    port = free_port()
    found, _ = measure(plain(), warm, requests)
    yield "without the page", found.microseconds_per_span, found.peak_mib
    found, _ = measure(WithPage(store, rules, wait, port=port), warm, requests)
    yield "nobody looks", found.microseconds_per_span, found.peak_mib
    with _open_page(port):
        found, _ = measure(WithPage(store, rules, wait, port=port), warm, requests)
    yield "one page open", found.microseconds_per_span, found.peak_mib


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
        witness=witness.decided.add if witness is not None else None,
    )
    ingest = made.pipeline.ingest if witness is None else witness.traces(made.pipeline.ingest)

    if witness is not None:
        made.pipeline.look_at(_SHARE)

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


def _trial(mix: str) -> None:
    requests = load(MIXES[mix], _TRIED, 1000, 7)
    spans = spans_in(requests)
    start = time.time_ns()
    recent = [Request(start + number * 100_000_000, content, False) for number, content in enumerate(requests)]
    rules = TailSamplingSettings.model_validate({**five_rules(in_ottl=False), "decision_wait": 2.0})
    other = TailSamplingSettings.model_validate({**five_rules(in_ottl=False), "decision_wait": 3.0})
    began = time.perf_counter()
    now, tried = (run(recent, WithRules(None, [], settings), settings) for settings in (rules, other))
    compared(now, tried, 60.0)
    print(f"a trial on {spans:,} spans of {mix}: {time.perf_counter() - began:.2f} s")


def main() -> None:
    """Measure, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mix", default="busy", choices=sorted(MIXES))
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--store", default="native", choices=["native", "reference"])
    parser.add_argument("--decision-wait", type=float, default=6.0)
    parser.add_argument("--in-process", action="store_true", help="the pipeline alone, many short pairs; and the trial")
    options = parser.parse_args()
    _trial(options.mix)
    if options.in_process:
        _inside(options.store, options.mix, 30)
        return
    mix = MIXES[options.mix]
    warm = load(mix, mix.spans // 20, _REQUEST, 1)
    all_found: dict[str, list[float]] = {}
    for number in range(options.pairs):
        requests = load(mix, mix.spans, _REQUEST, 2 + number)
        for name, microseconds, mib in _three(options.store, warm, requests, options.decision_wait):
            all_found.setdefault(name, []).append(microseconds)
            print(f"{options.mix} {number + 1}, {name}: {microseconds:.2f} µs a span, {mib:.0f} MiB", flush=True)
    before = all_found["without the page"]
    for name, after in all_found.items():
        ratios = [one / other for one, other in zip(after, before, strict=True)]
        print(f"{name}: {statistics.median(ratios):.3f} times")


if __name__ == "__main__":
    main()
