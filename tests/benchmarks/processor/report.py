"""What the figures say: tables with the spread, and a picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from tests.benchmarks.processor.results import (
    COLLECTOR,
    NATIVE,
    REFERENCE,
    Compared,
    Results,
    Row,
    Run,
    table,
)

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
_COLOURS = {COLLECTOR: "#9aa5b1", REFERENCE: "#4c8bf5", NATIVE: "#12805c"}
_NAMES = {
    COLLECTOR: "Collector, tail_sampling",
    REFERENCE: "processor, reference store",
    NATIVE: "processor, native store",
}


def cost(run: Run) -> float:
    """CPU microseconds for each span."""
    return run.microseconds_per_span


def peak(run: Run) -> float:
    """The most memory; MiB."""
    return run.peak_mib


def _spread(values: Iterable[float], digits: int) -> str:
    """The median, and in brackets the least and the greatest; one value alone has no spread."""
    there = sorted(values)
    middle = there[len(there) // 2] if len(there) % 2 else sum(there[len(there) // 2 - 1 : len(there) // 2 + 1]) / 2
    bounds = f" ({there[0]:,.{digits}f}-{there[-1]:,.{digits}f})" if len(there) > 1 else ""
    return f"{middle:,.{digits}f}{bounds}"


def mixes_table(mixes: Sequence[Compared]) -> str:
    """A row for each mix and program: medians, with the least and the greatest in brackets."""
    rows: list[Sequence[str]] = [_HEADS]
    for compared in mixes:
        for program in compared.programs():
            runs = compared.of(program)
            alone = [run.kept_by_one_alone for run in runs if run.kept_by_one_alone is not None]
            cells = (
                compared.mix,
                program,
                _spread(map(cost, runs), 2),
                f"{1 / compared.ratio(program, cost):.1f}",
                _spread(map(peak, runs), 0),
                f"{compared.ratio(program, peak):.2f}",
                _spread((run.spans_per_second for run in runs), 0),
                _spread((run.decision_latency for run in runs), 2),
                f"{runs[-1].kept:,}",
                f"{sum(alone):,}" if alone else "other rules",
            )
            rows.append(cells)
    return table(rows)


_SWEPT = {
    "wanted": "spans/s wanted",
    "spans_per_second": "spans/s taken in",
    "microseconds_per_span": "CPU per span, µs",
    "mib": "memory, MiB",
    "percent_of_a_core": "% of a core",
    "kept": "traces kept",
}
"""How the figures of sweeps are called in tables."""


def sweep_table(rows: Sequence[Row]) -> str:
    """A sweep as it is."""
    heads = list(rows[0])
    return table(
        [
            [_SWEPT.get(head, head.replace("_", " ")) for head in heads],
            *([_cell(row[head]) for head in heads] for row in rows),
        ]
    )


def _cell(value: object) -> str:
    return f"{value:,.2f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


_WIDTH, _LEFT, _RIGHT, _BAR, _BETWEEN, _TOP = 760, 210, 150, 20, 26, 62
_TITLES = {
    "recorded": "recorded: an idle Milvus and some clients",
    "busy": "busy: requests alone",
    "wide": "wide: 50 services, 20 attributes a span",
}


def plot(results: Results) -> str:
    """An SVG with a bar for each mix and program that does the same: CPU per span, the median, from least to greatest."""
    longest = max(run.microseconds_per_span for mix in results.mixes for pair in mix.pairs for run in pair)
    scale = (_WIDTH - _LEFT - _RIGHT) / longest
    top, lines = _TOP, []
    for mix in results.mixes:
        lines.append(f'<text x="10" y="{top}" font-weight="bold">{escape(_TITLES.get(mix.mix, mix.mix))}</text>')
        for program in mix.programs():
            if program in _NAMES:
                top += _BETWEEN
                lines += _bar(mix, program, top - _BAR / 2 - 2, scale)
        top += 44
    height = top - 18
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" font-size="13">',
            "<title>CPU time for each span, of the processor and of the Collector</title>",
            f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
            '<text x="10" y="26" font-size="16">CPU time for each span, microseconds: less is better</text>',
            *lines,
            "</svg>\n",
        ]
    )


def _bar(mix: Compared, program: str, top: float, scale: float) -> list[str]:
    costs = sorted(map(cost, mix.of(program)))
    value, middle = mix.median(program, cost), top + _BAR / 2
    least, most = _LEFT + costs[0] * scale, _LEFT + costs[-1] * scale
    times = 1 / mix.ratio(program, cost)
    told = (
        "" if program == COLLECTOR else f", {times:.1f} times less" if times >= 1 else f", {1 / times:.1f} times more"
    )
    return [
        f'<text x="{_LEFT - 10}" y="{middle + 4.5:.1f}" text-anchor="end">{escape(_NAMES[program])}</text>',
        f'<rect x="{_LEFT}" y="{top:.1f}" width="{value * scale:.1f}" height="{_BAR}" fill="{_COLOURS[program]}"/>',
        f'<path d="M{least:.1f} {middle:.1f}H{most:.1f}" stroke="#1f2933" stroke-width="2"/>',
        f'<text x="{most + 8:.1f}" y="{middle + 4.5:.1f}">{value:.1f}{told}</text>',
    ]
