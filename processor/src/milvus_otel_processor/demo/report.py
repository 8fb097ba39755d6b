"""What the demo shows at its end: what came in, what became of it and why, some traces, and all requests by collection."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.table import Table
from rich.text import Text

from milvus_otel_processor.demo.waterfall import failed_and_named_by, most_telling, slowest, summary, waterfall
from milvus_otel_processor.enrichment.enricher import NO_COLLECTION, UNKNOWN
from milvus_otel_processor.requests.summary import Wanted
from milvus_otel_processor.requests.summary import summary as summary_of
from milvus_otel_processor.sampling.explanation import amount as counted
from milvus_otel_processor.top.table import hints, table

if TYPE_CHECKING:
    from rich.console import Console

    from milvus_otel_processor.demo.dataset import Progress
    from milvus_otel_processor.demo.sink import Forwarded
    from milvus_otel_processor.replay.kept_span import KeptSpan
    from milvus_otel_processor.requests.windows import Window
    from milvus_otel_processor.telemetry.counters import Amount, Snapshot

ACCESS_LOG = "access_log"
SLOW = "slow"
"""The built-in policy for slow traces."""
_SLOW_SPANS = 12
_BY = ("collection",)
_SAMPLE = (
    "Durations are milliseconds. Kept traces are a sample with more errors and slow ones than usual: how often and how long is "
    "told by this table, and by `milvus-otel top` while it runs."
)
_SOURCES = {
    "client": "the spans of an instrumented client",
    ACCESS_LOG: "Milvus' access log, whatever the client is",
    "channel": "names of channels in Milvus' own spans",
    "same_trace": "spans apart from their request, in its trace",
    NO_COLLECTION: "requests that have none, such as Connect",
    UNKNOWN: "",
}
_ORDER = ("dropped", "not_sampled", "sampled")
_STYLES = {"sampled": "green", "dropped": "dim", "not_sampled": "dim"}


class Applications(NamedTuple):
    """How far each of the two applications came."""

    instrumented: Progress
    plain: Progress


@dataclass(frozen=True)
class Outcome:
    """What there is to tell after the applications have run."""

    snapshot: Snapshot
    traces: list[list[KeptSpan]]
    """The traces that came out of the processor."""
    applications: Applications
    requests: Window | None = None
    """All requests, where they are counted."""
    not_forwarded: int = 0
    """Requests that the receiver given with `--export` did not take."""
    forwarded: Forwarded | None = None
    """What it took, where there is one."""

    @property
    def operations(self) -> int:
        """What the applications asked of Milvus."""
        return sum(progress.operations for progress in self.applications)

    @property
    def failures(self) -> int:
        """Those of the operations that Milvus refused."""
        return sum(progress.failures for progress in self.applications)


def show(outcome: Outcome, console: Console) -> None:
    """Print the report."""
    snapshot = outcome.snapshot
    console.print()
    console.print(_headline(outcome), highlight=False)
    console.print()
    console.print(_decisions(snapshot))
    console.print()
    for words in _explained(outcome):
        console.print(Text(words, style="dim"), highlight=False)
    if snapshot.enriched_requests:
        console.print()
        console.print("What told the collection of the requests that are kept, or may have failed:", highlight=False)
        console.print(_coverage(snapshot))
        console.print(_known(snapshot), highlight=False)
    for line in _remarks(outcome):
        console.print(line, highlight=False)
    trace = most_telling(outcome.traces)
    if trace is not None:
        console.print()
        console.print(Text("One kept trace: ").append(summary(trace)), highlight=False)
        console.print(waterfall(trace, console))
    slow = slowest(outcome.traces, SLOW)
    if slow is not None:
        console.print()
        console.print(Text("The slowest trace: ").append(summary(slow)), highlight=False)
        console.print(waterfall(slow, console, _SLOW_SPANS))
    failed = failed_and_named_by(ACCESS_LOG, outcome.traces)
    if failed is not None:
        console.print()
        console.print(Text("One of plain pymilvus: ").append(summary(failed)), highlight=False)
        console.print(waterfall(failed, console))
        console.print(_failure(failed), highlight=False)
    if outcome.requests is not None:
        _show_requests(summary_of(outcome.requests, Wanted(_BY)), console)


def _show_requests(requests: dict[str, Any], console: Console) -> None:
    every = requests["all"]
    console.print()
    console.print(
        Text.assemble(
            ("All requests", "bold"),
            f", also those whose traces are not kept: {every['requests']:,}, of which {every['errors']:,} failed "
            f"and {every['kept']:,} are in kept traces.",
        ),
        highlight=False,
    )
    console.print(table(requests["rows"], _BY, console.width, rate=False))
    for hint in hints(requests["rows"], _BY):
        console.print(hint, highlight=False)
    console.print(Text(_SAMPLE, style="dim"), highlight=False)


def _headline(outcome: Outcome) -> Text:
    decisions = outcome.snapshot.decisions
    traces = sum(amount.traces for amount in decisions.values())
    kept = sum(amount.traces for (decision, _), amount in decisions.items() if decision == "sampled")
    return Text.assemble(
        f"Two applications made {outcome.operations:,} calls, {outcome.failures} of them failed. ",
        (f"{kept:,} of {traces:,} traces were kept.", "bold"),
    )


def _explained(outcome: Outcome) -> list[str]:
    """Return what the words of the headline and of the table mean, and how their numbers belong together."""
    snapshot = outcome.snapshot
    lines = [
        "A call of an application makes a trace, with all that Milvus does for it.",
        "All other traces are Milvus' own: its parts talk to each other all the time.",
    ]
    if snapshot.late_spans:
        lines.append("Late spans arrived after the decision about their trace, and followed it.")
    if snapshot.waiting_traces:
        lines.append("Waiting traces have not been decided yet.")
    return lines


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
            shown,
            policy or "(no policy sampled it)",
            f"{amount.traces:,}",
            f"{amount.spans:,}",
            style=_STYLES.get(decision),
        )
    for decision, spans in sorted(snapshot.late_spans.items()):
        table.add_row(
            decision.replace("_", " "), "(late: as their trace)", "", f"{spans:,}", style=_STYLES.get(decision)
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


def _coverage(snapshot: Snapshot) -> Table:
    table = Table(box=None, padding=(0, 3, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("told by")
    table.add_column("requests", justify="right")
    table.add_column("spans", justify="right")
    table.add_column()
    requests, spans = {UNKNOWN: 0} | snapshot.enriched_requests, snapshot.enriched_spans
    for source in dict.fromkeys((*_SOURCES, *sorted(requests.keys() | spans.keys()))):
        if source in requests or source in spans:
            counts = (f"{each[source]:,}" if source in each else "" for each in (requests, spans))
            table.add_row(source.replace("_", " "), *counts, Text(_SOURCES.get(source, ""), style="dim"))
    return table


def _known(snapshot: Snapshot) -> Text:
    """Return for how many of the requests that have a collection it was known which."""
    requests = snapshot.enriched_requests
    asked = sum(requests.values()) - requests.get(NO_COLLECTION, 0)
    known = asked - requests.get(UNKNOWN, 0)
    share = f" ({math.floor(100 * known / asked)}%)" if asked else ""  # 100% is said of all of them alone
    return Text(f"Known for {known:,} of {asked:,} requests{share}.", style="" if known == asked else "red")


def _failure(trace: list[KeptSpan]) -> Text:
    """Return what Milvus' access log says of a failed request: its gRPC status, and so Milvus' own span, says OK."""
    [failed, *_] = [span for span in trace if span.is_error]
    code, message = (str(failed.attributes.get(name, "")) for name in ("error.type", "milvus.error.message"))
    return Text.assemble(f"Its span came as OK; by Milvus' access log it is error {code}:\n", (message, "red"))


def _remarks(outcome: Outcome) -> list[Text]:
    snapshot = outcome.snapshot
    remarks = []
    if snapshot.refused_spans:
        remarks.append(Text(f"Spans refused: {_listed(snapshot.refused_spans)}.", style="red"))
    if snapshot.lost_spans:
        remarks.append(Text(f"Kept spans that were lost: {_listed(snapshot.lost_spans)}.", style="red"))
    if outcome.forwarded is not None:
        to = outcome.forwarded
        remarks.append(Text(f"Sent on to {to.endpoint}: {counted(to.traces, 'trace')}, {counted(to.spans, 'span')}."))
    if outcome.not_forwarded:
        remarks.append(Text(f"Requests that --export did not take: {outcome.not_forwarded}.", style="red"))
    return remarks


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in sorted(counts.items()))
