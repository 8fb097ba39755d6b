"""Writes what was measured into README.md, docs/performance.md and the picture: all figures come from two files of JSON.

    uv run python -m tests.benchmarks.processor --json docs/performance.json
    uv run python -m tests.benchmarks.steps --json docs/performance-steps.json
    uv run python -m tests.benchmarks.processor.pages

A part of a page that is written here stands between `<!-- measured: NAME -->` and `<!-- end of NAME -->`.
"""

from __future__ import annotations

import json
from pathlib import Path

from tests.benchmarks.processor.report import cost, mixes_table, peak, plot, sweep_table
from tests.benchmarks.processor.results import BUILT_IN, COLLECTOR, NATIVE, REFERENCE, Results, Run, read, table

ROOT = Path(__file__).parents[3]
README, PERFORMANCE = ROOT / "README.md", ROOT / "docs" / "performance.md"
FIGURES, STEPS, PICTURE = (ROOT / "docs" / f"performance{end}" for end in (".json", "-steps.json", ".svg"))
_MIXES = {
    "recorded": "recorded mix",
    "busy": "requests alone",
    "wide": "50 services, 20 attributes a span",
}
_PROGRAMS = {
    NATIVE: "the processor, [native store](docs/decisions.md)",
    REFERENCE: "the processor, reference store",
    COLLECTOR: "the Collector's `tail_sampling`",
}
_WAIT = 10.0
"""Seconds that traces wait in the table of sizes."""
_FULL = 0.9
"""The share of a core above which a processor would be behind for most of the time."""


def written(page: str, parts: dict[str, str]) -> str:
    """The page with these parts in their places. Raises ValueError where it has no place for one."""
    for name, text in parts.items():
        begin, end = f"<!-- measured: {name} -->", f"<!-- end of {name} -->"
        before, is_there, rest = page.partition(begin)
        _, ends, behind = rest.partition(end)
        if not is_there or not ends:
            raise ValueError(f"the page has no part {name!r}: {begin} … {end}")
        page = f"{before}{begin}\n{text}\n{end}{behind}"
    return page


def readme(results: Results) -> dict[str, str]:
    """The parts of README.md: what a span costs with both stores, beside the Collector."""
    rows = [["CPU per span, peak memory", *_MIXES.values()]]
    for program, name in _PROGRAMS.items():
        cells = [
            f"{mix.median(program, cost):.1f} µs, {mix.median(program, peak):.0f} MiB"
            for mix in map(results.mix, _MIXES)
        ]
        rows.append([name, *cells])
    recorded = results.mix("recorded")
    below = (
        f"Measured on {results.when}, {results.machine}. With its built-in rules the processor takes "
        f"{recorded.median(BUILT_IN, cost):.1f} µs a span of the recorded mix."
    )
    return {"cost": f"{table(rows)}\n\n{below}"}


def performance(results: Results, steps: dict[str, dict[str, float]]) -> dict[str, str]:
    """The parts of docs/performance.md."""
    return {
        "when": f"Measured on {results.when}, {results.machine}; the whole benchmark took {results.minutes:.0f} minutes.",
        "mixes": mixes_table(results.mixes),
        "idle": _sweep(results, "idle"),
        "load": _sweep(results, "load"),
        "waiting": _sweep(results, "waiting"),
        "policies": _sweep(results, "policies"),
        "steps": steps_table(steps),
        "sizes": sizes(results),
    }


def _sweep(results: Results, name: str) -> str:
    """All programs of a sweep in one table."""
    return sweep_table([{"program": program, **row} for program, rows in results.sweeps[name].items() for row in rows])


def steps_table(steps: dict[str, dict[str, float]]) -> str:
    """The microseconds of each step: `steps` has them by column, then by the step's meaning."""
    meanings = next(iter(steps.values()))
    rows = [["step", *steps]]
    rows += [[meaning, *(f"{found[meaning]:.2f}" for found in steps.values())] for meaning in meanings]
    return table([*rows, ["together", *(f"{sum(found.values()):.2f}" for found in steps.values())]])


def sizes(results: Results) -> str:
    """What a load takes, by what was measured at it: CPU by the sweep over load, memory by the busy mix, of which all waits."""
    heads = [
        "spans a second",
        "CPU, native store",
        "CPU, reference store",
        "waiting spans",
        "memory, native",
        "memory, reference",
    ]
    loads = {
        program: {row["wanted"]: row for row in results.sweeps["load"][program]} for program in (NATIVE, REFERENCE)
    }
    rows = [heads]
    for rate in loads[NATIVE]:
        waiting = rate * _WAIT
        shares = [loads[program][rate]["microseconds_per_span"] * rate / 1e6 for program in loads]
        memory = [_idle_mib(results, program) + waiting * bytes_per_span(results, program) / 2**20 for program in loads]
        rows.append([f"{rate:,}", *map(_share, shares), f"{waiting:,.0f}", *map(_mib, memory)])
    return table(rows)


def bytes_per_span(results: Results, program: str) -> float:
    """What a waiting span of the busy mix takes: all of them waited at once, or as many as came within the decision wait."""

    def size(run: Run) -> float:
        waiting = min(run.spans, run.spans_per_second * results.decision_wait)
        return (run.peak_mib - run.idle_mib) * 2**20 / waiting

    return results.mix("busy").median(program, size)


def _idle_mib(results: Results, program: str) -> float:
    return float(results.sweeps["idle"][program][0]["mib"])


def _share(cores: float) -> str:
    if cores > _FULL:
        return f"{cores:.1f} cores: several processors"
    return f"{cores * 100:.1f} % of a core" if cores < 0.1 else f"{cores * 100:.0f} % of a core"


def _mib(mib: float) -> str:
    return f"{mib:,.0f} MiB" if mib < 1000 else f"{mib / 1024:.1f} GiB"


def main() -> None:
    """Write the pages and the picture."""
    results, steps = read(FIGURES), json.loads(STEPS.read_text(encoding="utf-8"))
    for page, parts in ((README, readme(results)), (PERFORMANCE, performance(results, steps))):
        page.write_text(written(page.read_text(encoding="utf-8"), parts), encoding="utf-8")
    PICTURE.write_text(plot(results), encoding="utf-8")


if __name__ == "__main__":
    main()
