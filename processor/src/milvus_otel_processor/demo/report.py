"""What the demo shows at its end: what came in, what became of it and why, and one trace of what was kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from milvus_otel_processor.demo.waterfall import most_telling, summary, waterfall

if TYPE_CHECKING:
    from rich.console import Console

    from milvus_otel_processor.demo.sink import KeptSpan
    from milvus_otel_processor.telemetry import Amount, Snapshot

_ORDER = ("dropped", "not_sampled", "sampled")
_STYLES = {"sampled": "green", "dropped": "dim", "not_sampled": "dim"}


@dataclass(frozen=True)
class Outcome:
    """What there is to tell after the application has run."""

    snapshot: Snapshot
    traces: list[list[KeptSpan]]
    """The traces that came out of the processor."""
    operations: int
    failures: int
    """Of the application's operations, those that Milvus refused."""
    not_forwarded: int = 0
    """Requests that the receiver given with `--export` did not take."""


def show(outcome: Outcome, console: Console) -> None:
    """Print the report."""
    snapshot = outcome.snapshot
    console.print()
    console.print(_headline(outcome), highlight=False)
    console.print()
    console.print(_decisions(snapshot))
    for line in _remarks(outcome):
        console.print(line, highlight=False)
    trace = most_telling(outcome.traces)
    if trace is not None:
        console.print()
        console.print(Text("One kept trace: ").append(summary(trace)), highlight=False)
        console.print(waterfall(trace, console))


def _headline(outcome: Outcome) -> Text:
    decisions = outcome.snapshot.decisions
    traces = sum(amount.traces for amount in decisions.values())
    kept = sum(amount.traces for (decision, _), amount in decisions.items() if decision == "sampled")
    return Text.assemble(
        f"The application made {outcome.operations:,} calls, {outcome.failures} of them failed. ",
        (f"{kept:,} of {traces:,} traces were kept.", "bold"),
    )


def _decisions(snapshot: Snapshot) -> Table:
    table = Table(box=None, padding=(0, 3, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("decision")
    table.add_column("policy")
    table.add_column("traces", justify="right")
    table.add_column("spans", justify="right")
    rows = sorted(snapshot.decisions.items(), key=_by_decision_and_size)
    for (decision, policy), amount in rows:
        shown = decision.replace("_", " ")
        table.add_row(
            shown, policy or "(none wanted it)", f"{amount.traces:,}", f"{amount.spans:,}", style=_STYLES.get(decision)
        )
    for decision, spans in sorted(snapshot.late_spans.items()):
        table.add_row(
            decision.replace("_", " "), "(late, as their trace)", "", f"{spans:,}", style=_STYLES.get(decision)
        )
    if snapshot.waiting_traces:
        table.add_row("waiting", "", f"{snapshot.waiting_traces:,}", f"{snapshot.waiting_spans:,}", style="dim")
    traces = snapshot.waiting_traces + sum(amount.traces for _, amount in rows)
    spans = snapshot.received_spans - sum(snapshot.refused_spans.values())
    table.add_row("in", "", f"{traces:,}", f"{spans:,}", style="bold")
    return table


def _by_decision_and_size(row: tuple[tuple[str, str], Amount]) -> tuple[int, int]:
    (decision, _), amount = row
    return _ORDER.index(decision) if decision in _ORDER else len(_ORDER), -amount.traces


def _remarks(outcome: Outcome) -> list[Text]:
    snapshot = outcome.snapshot
    remarks = []
    if snapshot.enriched_spans:
        remarks.append(Text(f"Spans enriched with their collection, by source: {_listed(snapshot.enriched_spans)}."))
    if snapshot.refused_spans:
        remarks.append(Text(f"Spans refused: {_listed(snapshot.refused_spans)}.", style="red"))
    if snapshot.lost_spans:
        remarks.append(Text(f"Kept spans that were lost: {_listed(snapshot.lost_spans)}.", style="red"))
    if outcome.not_forwarded:
        remarks.append(Text(f"Requests that --export did not take: {outcome.not_forwarded}.", style="red"))
    return remarks


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in sorted(counts.items()))
