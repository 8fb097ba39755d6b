"""Where each microsecond goes: the CPU time of each step that a span takes, in one process, without gRPC.

    uv run python -m tests.benchmarks.steps [--store native|reference] [--mix recorded] [--spans 200000] [--repeat 3] [--json FILE]

The traffic and the five rules are those of `tests.benchmarks.processor`, enrichment is on, and what is kept is joined to requests
as the exporter sends them. Each step is stopped by the thread's own CPU time, less what stopping costs; a step within another
counts for itself. Prints a Markdown table: microseconds for each span that comes in, the median of the runs.
"""

from __future__ import annotations

import argparse
import gc
import json
from collections import defaultdict
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import thread_time_ns
from typing import TYPE_CHECKING, Any

from milvus_otel_processor.config import load_config
from milvus_otel_processor.sampling.policies.base import Clock
from milvus_otel_processor.service.assemble import assemble
from milvus_otel_processor.service.garbage import tune_garbage_collection
from milvus_otel_processor.spans import stores
from milvus_otel_processor.telemetry.counters import Telemetry
from ruamel.yaml import YAML

from tests.benchmarks.load import spans_in
from tests.benchmarks.processor.mixes import MIXES, load
from tests.benchmarks.processor.pages import steps_table
from tests.benchmarks.processor.programs import Program, five_rules
from tests.support import clock as turned

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from milvus_otel_processor.spans.contract import Trace

STEPS = {
    "ingest": "cut the request, hold its spans by trace, look at root names",
    "take_due": "take the traces that are due; tell apart those that nobody has to look into",
    "before_decision": "enrichment: find the requests of a trace, ask the sources, append",
    "decide": "the rules",
    "after_decision": "enrichment of what was kept without it",
    "put": "the policy's name on each kept span",
    "join": "join kept traces to requests",
    "rest": "the pipeline itself: lock, counters, one call after the other",
}
SECONDS_OF_A_REQUEST, WAIT = 0.2, 2.0
REQUEST = 8192


class Stopwatch:
    """Adds up the time of steps, each without the steps within it."""

    def __init__(self) -> None:
        self.nanoseconds: dict[str, int] = defaultdict(int)
        self._inner = [0]
        self._cost = self._of_nothing()

    def timed(self, step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, timed as this step."""

        def call(*arguments: Any, **named: Any) -> Any:
            self._inner.append(0)
            began = thread_time_ns()
            try:
                return function(*arguments, **named)
            finally:
                whole = thread_time_ns() - began
                self.nanoseconds[step] += whole - self._inner.pop() - self._cost
                self._inner[-1] += whole + self._cost

        return call

    def _of_nothing(self) -> int:
        """What timing something costs that takes no time; half of it is within what is told."""
        self._cost = 0
        nothing = self.timed("nothing", lambda: None)
        for _ in range(20_000):
            nothing()
        return self.nanoseconds.pop("nothing") // 20_000


class TimedStore:
    """A store whose calls are timed."""

    def __init__(self, store: Any, watch: Stopwatch) -> None:
        self._store = store
        self.ingest = watch.timed("ingest", store.ingest)
        self.take_due = watch.timed("take_due", store.take_due)
        self.take_wanted = watch.timed("take_due", store.take_wanted)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def __len__(self) -> int:
        return len(self._store)

    def __contains__(self, trace_id: bytes) -> bool:
        return trace_id in self._store


class Joining:
    """An exporter that joins kept traces to requests, and forgets them."""

    def __init__(self, join: Callable[[Sequence[Trace]], bytes], watch: Stopwatch) -> None:
        self._join = watch.timed("join", join)
        self._waiting: list[Trace] = []
        self._spans = 0

    def put(self, trace: Trace) -> None:
        """Take a kept trace."""
        self._waiting.append(trace)
        self._spans += len(trace)
        if self._spans >= REQUEST // 4:
            self._join(self._waiting)
            self._waiting, self._spans = [], 0


def run(store: str, requests: Sequence[bytes]) -> dict[str, float]:
    """The microseconds of each step for a span."""
    watch, clock = Stopwatch(), turned.Clock()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "configuration.yaml"
        with path.open("w", encoding="utf-8") as file:
            program = Program(store, five_rules(in_ottl=False), WAIT)
            YAML(typ="safe").dump(program.configuration(4317, "127.0.0.1:1", 8888), file)
        config = load_config(path, environ={}).config
    real = stores.make_store
    stores.make_store = lambda *arguments: TimedStore(real(*arguments), watch)  # type: ignore[assignment]
    try:
        telemetry = Telemetry()
        assembled = assemble(
            config,
            exporter=Joining(stores.joiner(config.store), watch),
            telemetry=telemetry,
            clock=Clock(clock, lambda: int(clock() * 1e9)),
            store_kind=config.store,
        )
    finally:
        stores.make_store = real
    pipeline: Any = assembled.pipeline
    for part, names in (
        (assembled.stages, ("before_decision", "after_decision")),
        (assembled.rules, ("decide",)),
        (pipeline._decider._outlet, ("put",)),
    ):
        for name in names:
            setattr(part, name, watch.timed(name, getattr(part, name)))
    whole = watch.timed("rest", pipeline.ingest), watch.timed("rest", pipeline.tick)
    for request in requests:
        whole[0](request)
        clock.advance(SECONDS_OF_A_REQUEST)
        whole[1]()
    clock.advance(WAIT * 2)
    whole[1]()
    spans = telemetry.received_spans
    return {step: watch.nanoseconds[step] / spans / 1000 for step in STEPS}


def main() -> None:
    """Measure, and print a table for each mix."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", action="append", choices=["native", "reference"], help="both without it")
    parser.add_argument("--mix", action="append", choices=sorted(MIXES), help="all without it")
    parser.add_argument("--spans", type=int, default=200_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    tune_garbage_collection()
    columns: dict[str, dict[str, float]] = {}
    for mix in options.mix or MIXES:
        requests = load(MIXES[mix], options.spans, REQUEST, 1)
        told = f"{mix}: {spans_in(requests):,} spans"
        gc.freeze()
        runs: dict[str, list[dict[str, float]]] = defaultdict(list)
        for _ in range(options.repeat):
            for store in options.store or ("native", "reference"):
                runs[store].append(run(store, requests))
        print(told, flush=True)
        for store, found in runs.items():
            columns[f"{mix}, {store}"] = {
                meaning: median(one[step] for one in found) for step, meaning in STEPS.items()
            }
    print(f"\n{steps_table(columns)}")
    if options.json:
        options.json.write_text(json.dumps(columns, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
