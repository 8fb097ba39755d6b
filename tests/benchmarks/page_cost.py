"""What the page costs: CPU time of a processor without it, with it while nobody looks, and with one page open; and a trial.

    uv run python -m tests.benchmarks.page_cost [--mix busy] [--pairs 3] [--store native]

The three run in turns under the same load, each as a process on a core of its own. The open page asks for what the views Now and
Decisions ask for, every five seconds. A trial replays the rules and others on 100,000 spans. Linux alone.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread

from milvus_otel_processor.page.recent import Request
from milvus_otel_processor.page.trial import WithRules, compared, run
from milvus_otel_processor.sampling.settings import TailSamplingSettings

from tests.benchmarks.load import spans_in
from tests.benchmarks.processor.mixes import MIXES, load
from tests.benchmarks.processor.programs import Program, five_rules
from tests.benchmarks.processor.run import measure
from tests.peers.process import free_port
from tests.support.http import ask

_REQUEST = 8192
_SECONDS_APART = 5.0
_TRIED = 100_000


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
    found = measure(plain(), warm, requests)
    yield "without the page", found.microseconds_per_span, found.peak_mib
    found = measure(WithPage(store, rules, wait, port=port), warm, requests)
    yield "nobody looks", found.microseconds_per_span, found.peak_mib
    with _open_page(port):
        found = measure(WithPage(store, rules, wait, port=port), warm, requests)
    yield "one page open", found.microseconds_per_span, found.peak_mib


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
    options = parser.parse_args()
    _trial(options.mix)
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
