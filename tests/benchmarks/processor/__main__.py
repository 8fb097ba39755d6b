"""What a span costs: CPU time and memory of the processor, and of the Collector's tail_sampling under the same load.

    uv run python -m tests.benchmarks.processor                     # everything: at most 15 minutes on a machine of its own
    uv run python -m tests.benchmarks.processor --mix busy --pairs 5
    uv run python -m tests.benchmarks.processor --sweep load        # or waiting, policies, idle

Each program runs by itself, as a process on a core of its own, in turns; the load and the receiving end are on another. Its CPU
time (user and system) is read before the first span and after the last decision. The rules are five: drop heartbeats, keep errors,
slow traces, one collection, and a tenth; the processor enriches as well. Behind the Collector's `tail_sampling` is its `batch`
processor. Both get the same spans; the trace ids that they keep are compared. The reference store, and what the Collector has no
words for, metrics of all requests and the built-in rules, run once beside the first pair. Linux alone; wants two cores, and Go for
the Collector.

`--json FILE` keeps all figures; `python -m tests.benchmarks.processor.pages` writes those of docs/performance.json into the pages.
"""

import argparse
import gc
import time
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.processor.mixes import MIXES, Mix, load
from tests.benchmarks.processor.programs import Program, programs, with_built_in_rules, with_requests_counted
from tests.benchmarks.processor.report import mixes_table, plot, sweep_table
from tests.benchmarks.processor.results import BUILT_IN, NATIVE, REFERENCE, Compared, Results, begun
from tests.benchmarks.processor.run import measure
from tests.benchmarks.processor.sweeps import SWEEPS

WITH_BUILT_IN_RULES = "recorded"
"""The mix that the built-in rules are measured on: what a Milvus sends without any rules of one's own."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mix", action="append", choices=sorted(MIXES), help="these mixes, and nothing else")
    parser.add_argument("--sweep", action="append", choices=sorted(SWEEPS), help="these sweeps, and nothing else")
    parser.add_argument("--pairs", type=int, default=3, help="runs of each program and mix")
    parser.add_argument("--store", choices=[NATIVE, REFERENCE], default=NATIVE, help="the store that runs in each pair")
    parser.add_argument("--alone", action="store_true", help="nothing but the pairs: no other store, no other rules")
    parser.add_argument("--decision-wait", type=float, default=6.0, help="seconds")
    parser.add_argument(
        "--request", type=int, default=8192, help="spans in a request: what the Collector's batch processor makes"
    )
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.add_argument("--plot", type=Path, help="write a picture (SVG) to this file")
    return parser.parse_args()


def _beside(mix: Mix, options: argparse.Namespace) -> Iterator[Program]:
    """What runs once, beside the first pair."""
    if options.alone:
        return
    if options.store == NATIVE:
        yield programs([REFERENCE], options.decision_wait)[1]
        yield with_requests_counted(options.decision_wait)
    if mix.name == WITH_BUILT_IN_RULES:
        yield with_built_in_rules(options.decision_wait)


def _compare(mix: Mix, options: argparse.Namespace) -> Compared:
    warm = load(mix, mix.spans // 20, options.request, 1)
    compared = Compared(mix.name)
    for number in range(options.pairs):
        requests = load(mix, mix.spans, options.request, 2 + number)
        gc.freeze()
        pair = programs([options.store], options.decision_wait)
        kept_by_peer: set[bytes] = set()
        compared.pairs.append([])
        for program in (*pair, *(_beside(mix, options) if number == 0 else ())):
            run, kept = measure(program, warm, requests)
            kept_by_peer = kept if program.is_collector else kept_by_peer
            run.kept_by_one_alone = len(kept ^ kept_by_peer) if program.title != BUILT_IN else None
            compared.pairs[-1].append(run)
            print(f"{mix.name} {number + 1}: {run}", flush=True)
    return compared


def _measure(options: argparse.Namespace, results: Results) -> Iterator[str]:
    """Measure one thing after the other, and yield a table of each."""
    for name in options.mix or (() if options.sweep else MIXES):
        results.mixes.append(_compare(MIXES[name], options))
        yield mixes_table(results.mixes[-1:])
    for name in options.sweep or (() if options.mix else SWEEPS):
        sweep, about = SWEEPS[name]
        for program in about:
            rows = results.sweeps.setdefault(name, {})[program] = list(sweep(program))
            yield f"{name}, {program}\n\n{sweep_table(rows)}"


def main() -> None:
    """Measure, and print what was found."""
    options = _arguments()
    results, begin = begun(options.decision_wait), time.monotonic()
    for told in _measure(options, results):
        print(f"\n{told}\n", flush=True)
        results.minutes = round((time.monotonic() - begin) / 60, 1)
        if options.json:
            results.write(options.json)
    if len(results.mixes) > 1:
        print(mixes_table(results.mixes))
    if options.plot and results.mixes:
        options.plot.write_text(plot(results), encoding="utf-8")
    print(f"\n{results.when}, {results.machine}: {results.minutes} minutes")


if __name__ == "__main__":
    main()
