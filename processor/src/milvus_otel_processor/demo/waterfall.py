"""One trace as a waterfall in the terminal: a line for each span, its bar where its time was."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from milvus_otel_processor.demo.tree import in_tree_order
from milvus_otel_processor.printable import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from milvus_otel_processor.replay.kept_span import KeptSpan

_COLOURS = ("cyan", "green", "magenta", "yellow", "blue")
_SERVICE_COLUMNS, _DURATION_COLUMNS, _COLLECTION_COLUMNS = 10, 9, 10
_GAPS = 4  # one blank between each two of the five columns
_SMALLEST_BAR, _LARGEST_BAR = 12, 60
POLICY_KEY = "tailsampling.policy"


def most_telling(traces: Sequence[list[KeptSpan]]) -> list[KeptSpan] | None:
    """Return the trace to show: of the successful searches one that reached most services, else of all; None of none.

    Of several, the one with a usual number of spans: the odd one out tells least.
    """
    if not traces:
        return None
    usual = Counter(_shape(trace) for trace in traces)
    return max(
        traces, key=lambda trace: (_is_search(trace), len({span.service for span in trace}), usual[_shape(trace)])
    )


def failed_and_named_by(source: str, traces: Sequence[list[KeptSpan]]) -> list[KeptSpan] | None:
    """Return the first trace with a failed request of which this source of enrichment told the collection, or None."""
    return next(
        (
            trace
            for trace in traces
            if any(span.is_error and span.attributes.get("milvus.enrichment") == source for span in trace)
        ),
        None,
    )


def slowest(traces: Sequence[list[KeptSpan]], policy: str) -> list[KeptSpan] | None:
    """Return the trace that took longest of those that this policy kept, or None."""
    kept = [trace for trace in traces if any(span.attributes.get(POLICY_KEY) == policy for span in trace)]
    return max(kept, key=_length, default=None)


def _length(trace: list[KeptSpan]) -> int:
    return max(span.end for span in trace) - min(span.start for span in trace)


def _shape(trace: list[KeptSpan]) -> tuple[str, ...]:
    return tuple(sorted(f"{span.service} {span.name}" for span in trace))


def _is_search(trace: list[KeptSpan]) -> bool:
    searches = any(span.attributes.get("db.operation.name") == "search" for span in trace)
    return searches and not any(span.is_error for span in trace)


def summary(trace: list[KeptSpan]) -> Text:
    """Return what the trace is, how long it took, and why it was kept: `search products (2.30 ms, 11 spans, ...)`."""
    root, _ = next(in_tree_order(trace))
    policy = root.attributes.get(POLICY_KEY)
    facts = [
        duration(_length(trace)),
        f"{len(trace)} spans",
        *([f"kept by {policy}"] if policy else []),
    ]
    return Text.assemble((printable(short_name(root.name)), "bold"), f" ({', '.join(facts)})")


def waterfall(trace: list[KeptSpan], console: Console, most: int | None = None) -> Table:
    """Return the trace as a table no wider than the console: service, span, time, duration, collection.

    Of more than `most` spans the longest are shown, and below them how many others there are.
    """
    shown = sorted(trace, key=lambda span: span.start - span.end)[:most]
    lines = [(span, depth) for span, depth in in_tree_order(trace) if any(span is one for one in shown)]
    free = console.width - _SERVICE_COLUMNS - _DURATION_COLUMNS - _COLLECTION_COLUMNS - _GAPS
    longest = max(len(_indented(span, depth)) for span, depth in lines)
    bar_columns = min(max(_SMALLEST_BAR, free * 2 // 5, free - longest), _LARGEST_BAR)
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("service", width=_SERVICE_COLUMNS, no_wrap=True)
    table.add_column("span", width=min(longest, free - bar_columns), no_wrap=True)
    table.add_column("time", width=bar_columns, no_wrap=True)
    table.add_column("duration", width=_DURATION_COLUMNS, justify="right", no_wrap=True)
    table.add_column("collection", width=_COLLECTION_COLUMNS, no_wrap=True)
    start, end = min(span.start for span in trace), max(span.end for span in trace)
    services = list(dict.fromkeys(span.service for span, _ in in_tree_order(trace)))
    block = "#" if console.options.ascii_only else "█"
    for span, depth in lines:
        colour = _COLOURS[services.index(span.service) % len(_COLOURS)]
        table.add_row(
            Text(printable(span.service), style=colour),
            Text(_indented(span, depth)),
            Text(bar(span.start - start, span.end - start, end - start, bar_columns, block), style=colour),
            duration(span.end - span.start),
            Text(printable(str(span.attributes.get("db.collection.name", "")))),
            style="red" if span.is_error else None,
        )
    if len(lines) < len(trace):
        others = len(trace) - len(lines)
        table.add_row("", Text(f"and {others} shorter span{'s' if others > 1 else ''}", style="dim"), "", "", "")
    return table


def _indented(span: KeptSpan, depth: int) -> str:
    return " " * depth + printable(short_name(span.name)) + (" (error)" if span.is_error else "")


def bar(start: int, end: int, whole: int, columns: int, block: str) -> str:
    """Return the blank before a span and its bar, at least one block, within the columns that stand for the whole."""
    if whole <= 0:
        return block
    first = min(start * columns // whole, columns - 1)
    last = max(first + 1, round(end * columns / whole))
    return " " * first + block * (last - first)


def short_name(name: str) -> str:
    """Return a span's name without the package of its gRPC service: `RootCoord/AllocTimestamp`."""
    service, slash, method = name.lstrip("/").rpartition("/")
    return f"{service.rpartition('.')[2]}{slash}{method}"


def duration(nanoseconds: int) -> str:
    """Return a duration with the unit that fits it."""
    for unit, size in (("s", 1_000_000_000), ("ms", 1_000_000)):
        if nanoseconds >= size:
            return f"{nanoseconds / size:.2f} {unit}"
    return f"{nanoseconds / 1000:.0f} µs"
