"""What a span costs: CPU time and memory of the processor, and of the Collector's tail_sampling under the same load.

    uv run python -m tests.benchmarks.processor                     # three mixes, three pairs each: about 10 minutes
    uv run python -m tests.benchmarks.processor --mix busy --pairs 5
    uv run python -m tests.benchmarks.processor --built-in-rules    # the processor with the rules that it has by default
    uv run python -m tests.benchmarks.processor --sweep load        # or waiting, or policies

Each program runs by itself, as a process on a core of its own, in turns; the load and the receiving end are on another. Its CPU
time (user and system) is read before the first span and after the last decision. The rules are five: drop heartbeats, keep errors,
slow traces, one collection, and a tenth; the processor enriches as well. Behind the Collector's `tail_sampling` is its `batch`
processor. Both get the same spans; the trace ids that they keep are compared. Linux alone; wants Go for the Collector.
"""

import argparse
import gc
from pathlib import Path

from tests.benchmarks.processor.mixes import MIXES, load
from tests.benchmarks.processor.programs import COLLECTOR, programs
from tests.benchmarks.processor.report import Compared, plot, table, write_json
from tests.benchmarks.processor.run import measure
from tests.benchmarks.processor.sweeps import SWEEPS, text


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mix", action="append", choices=sorted(MIXES), help="these mixes alone")
    parser.add_argument("--pairs", type=int, default=3, help="runs of each program and mix")
    parser.add_argument(
        "--store", action="append", choices=["native", "reference"], help="stores of the processor; native"
    )
    parser.add_argument("--decision-wait", type=float, default=6.0, help="seconds")
    parser.add_argument(
        "--request", type=int, default=8192, help="spans in a request: what the Collector's batch processor makes"
    )
    parser.add_argument(
        "--built-in-rules",
        action="store_true",
        help="the processor's default rules, for which the Collector has no words",
    )
    parser.add_argument("--sweep", action="append", choices=sorted(SWEEPS), default=[], help="instead of the mixes")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.add_argument("--plot", type=Path, help="write a picture (SVG) to this file")
    return parser.parse_args()


def _compare(options: argparse.Namespace, stores: list[str]) -> list[Compared]:
    found = []
    for name in options.mix or MIXES:
        mix = MIXES[name]
        warm = load(mix, mix.spans // 20, options.request, 1)
        compared = Compared(name, [])
        for number in range(options.pairs):
            requests = load(mix, mix.spans, options.request, 2 + number)
            gc.freeze()
            runs = []
            for program in programs(stores, options.decision_wait, built_in=options.built_in_rules):
                runs.append(measure(program, warm, requests))
                print(f"{name} {number + 1}: {runs[-1]}", flush=True)
            compared.pairs.append(runs)
        found.append(compared)
    return found


def main() -> None:
    """Measure, and print what was found."""
    options = _arguments()
    stores = options.store or ["native"]
    sweeps = {}
    for name in options.sweep:
        peer = [] if name == "policies" else [COLLECTOR]
        for program in (*peer, *stores):
            rows = sweeps[f"{name}, {program}"] = list(SWEEPS[name](program))
            print(f"\n{name}, {program}\n\n{text(name, rows)}", flush=True)
    found = [] if options.sweep else _compare(options, stores)
    if found:
        print(f"\n{table(found)}")
    if options.json:
        write_json(options.json, found, sweeps)
    if options.plot and found:
        options.plot.write_text(plot(found), encoding="utf-8")


if __name__ == "__main__":
    main()
