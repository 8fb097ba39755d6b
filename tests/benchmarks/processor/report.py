"""What the runs say: a table with the spread, JSON, and a plot for the README."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from statistics import median

from tests.benchmarks.processor.programs import COLLECTOR
from tests.benchmarks.processor.run import Run

_HEADS = (
    "mix",
    "program",
    "CPU per span, µs",
    "times less than the Collector",
    "peak, MiB",
    "of the Collector's",
    "spans/s on one core",
    "decision latency, s",
    "traces kept",
    "by one alone",
)
_BAR, _GAP, _LEFT, _WIDTH = 22, 14, 190, 720
_COLOURS = {COLLECTOR: "#9aa5b1", "reference": "#4c8bf5", "native": "#12805c"}


@dataclass
class Compared:
    """The runs of one mix, alternately: `pairs[i]` has one run of each program, the Collector's first."""

    mix: str
    pairs: list[list[Run]]

    def of(self, program: str) -> list[Run]:
        """The runs of one program."""
        return [run for pair in self.pairs for run in pair if run.program == program]

    def programs(self) -> list[str]:
        """Their names, the Collector's first."""
        return [run.program for run in self.pairs[0]]

    def ratio(self, program: str, value: Callable[[Run], float]) -> float:
        """The median, over the pairs, of the program's value as a share of the Collector's."""
        return median(value(run) / value(pair[0]) for pair in self.pairs for run in pair if run.program == program)

    def kept_by_one_alone(self, program: str) -> int:
        """How many traces only one of the two kept, in all pairs."""
        return sum(len(run.kept ^ pair[0].kept) for pair in self.pairs for run in pair if run.program == program)


def _spread(values: Iterable[float], digits: int) -> str:
    there = sorted(values)
    return f"{median(there):,.{digits}f} ({there[0]:,.{digits}f}-{there[-1]:,.{digits}f})"


def table(found: Sequence[Compared]) -> str:
    """A Markdown table: medians, with the least and the greatest in brackets."""
    rows = [
        f"| {' | '.join(_HEADS)} |",
        f"| {' | '.join('---' for _ in _HEADS)} |",
    ]
    for compared in found:
        for program in compared.programs():
            runs = compared.of(program)
            cells = [
                compared.mix,
                program,
                _spread((run.microseconds_per_span for run in runs), 2),
                f"{1 / compared.ratio(program, lambda run: run.microseconds_per_span):.1f}",
                _spread((run.peak_mib for run in runs), 0),
                f"{compared.ratio(program, lambda run: run.peak_mib):.2f}",
                _spread((run.spans_per_second for run in runs), 0),
                _spread((run.decision_latency for run in runs), 2),
                f"{len(runs[-1].kept):,}",
                f"{compared.kept_by_one_alone(program):,}",
            ]
            rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def write_json(path: Path, found: Sequence[Compared], sweeps: dict[str, list[dict[str, object]]]) -> None:
    """All runs, without the ids that they kept."""
    runs = [
        {"mix": compared.mix, "pair": number, **asdict(run), "kept": len(run.kept)}
        for compared in found
        for number, pair in enumerate(compared.pairs)
        for run in pair
    ]
    path.write_text(json.dumps({"runs": runs, "sweeps": sweeps}, indent=1) + "\n", encoding="utf-8")


def plot(found: Sequence[Compared]) -> str:
    """An SVG with a bar for each mix and program: CPU per span, the median."""
    bars = [
        (f"{compared.mix}, {program}", median(run.microseconds_per_span for run in compared.of(program)), program)
        for compared in found
        for program in compared.programs()
    ]
    longest = max(value for _, value, _ in bars)
    height = len(bars) * (_BAR + _GAP) + 50
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" font-size="13">',
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        '<text x="10" y="24" font-size="15">CPU per span, microseconds (less is better)</text>',
    ]
    for number, (name, value, program) in enumerate(bars):
        top = 40 + number * (_BAR + _GAP)
        width = max(1.0, (_WIDTH - _LEFT - 70) * value / longest)
        middle = top + _BAR / 2 + 5
        lines += [
            f'<text x="{_LEFT - 10}" y="{middle}" text-anchor="end">{escape(name)}</text>',
            f'<rect x="{_LEFT}" y="{top}" width="{width:.1f}" height="{_BAR}" fill="{_COLOURS.get(program, "#888888")}"/>',
            f'<text x="{_LEFT + width + 8:.1f}" y="{middle}">{value:.2f}</text>',
        ]
    return "\n".join([*lines, "</svg>"]) + "\n"
