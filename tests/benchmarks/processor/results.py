"""What was measured, as figures that can be written to a file and read again."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

COLLECTOR, NATIVE, REFERENCE = "collector", "native", "reference"
BUILT_IN, COUNTED = "native, built-in rules", "native, requests counted"

Row = dict[str, Any]
"""One step of a sweep: what was changed, and what came of it."""


@dataclass
class Run:
    """What one run of one program took."""

    program: str
    spans: int
    microseconds_per_span: float
    idle_mib: float
    """The memory that it had before the load."""
    peak_mib: float
    spans_per_second: float
    """How fast they were taken in, on its one core."""
    decision_latency: float
    """The median of how long a kept trace came out after its decision wait; seconds."""
    kept: int
    """How many traces came out."""
    kept_by_one_alone: int | None = None
    """How many traces only this program kept, or only the Collector beside it; None where their rules are others."""


@dataclass
class Compared:
    """The runs of one mix, alternately: `pairs[i]` has one run of each program, the Collector's first."""

    mix: str
    pairs: list[list[Run]] = field(default_factory=list)

    def of(self, program: str) -> list[Run]:
        """The runs of one program."""
        return [run for pair in self.pairs for run in pair if run.program == program]

    def programs(self) -> list[str]:
        """Their names, the Collector's first."""
        return list(dict.fromkeys(run.program for pair in self.pairs for run in pair))

    def median(self, program: str, value: Callable[[Run], float]) -> float:
        """The median of what the program's runs took."""
        return median(map(value, self.of(program)))

    def ratio(self, program: str, value: Callable[[Run], float]) -> float:
        """The median, over the pairs, of the program's value as a share of the Collector's."""
        return median(value(run) / value(pair[0]) for pair in self.pairs for run in pair if run.program == program)


@dataclass
class Results:
    """All figures of one call of the benchmark."""

    when: str
    """The day."""
    machine: str
    decision_wait: float
    """Seconds; of the mixes."""
    minutes: float = 0.0
    mixes: list[Compared] = field(default_factory=list)
    sweeps: dict[str, dict[str, list[Row]]] = field(default_factory=dict)
    """By what is changed, then by program."""

    def mix(self, name: str) -> Compared:
        """The runs of one mix. Raises KeyError where it was not measured."""
        return {compared.mix: compared for compared in self.mixes}[name]

    def write(self, path: Path) -> None:
        """Write them as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


def read(path: Path) -> Results:
    """Read what `Results.write` wrote."""
    found = json.loads(path.read_text(encoding="utf-8"))
    mixes = [
        Compared(compared["mix"], [[Run(**run) for run in pair] for pair in compared["pairs"]])
        for compared in found.pop("mixes")
    ]
    return Results(mixes=mixes, **found)


def begun(decision_wait: float) -> Results:
    """Results of this day and machine, without any figures yet."""
    return Results(datetime.now(UTC).strftime("%Y-%m-%d"), _machine(), decision_wait)


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{len(os.sched_getaffinity(0))} cores, {memory:.0f} GiB, Python {platform.python_version()}"


def table(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first row is its head."""
    head, *others = rows
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *others))
