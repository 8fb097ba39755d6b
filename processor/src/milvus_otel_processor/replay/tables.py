"""A replay's report for people: what each policy decided and costs, what nothing matched, what came late."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milvus_otel_processor.printable import printable
from milvus_otel_processor.replay.grid import Grid, Words
from milvus_otel_processor.replay.tallies import BY
from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.sampling.explanation import amount

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from milvus_otel_processor.replay.compare import Comparison
    from milvus_otel_processor.replay.late_spans import Change
    from milvus_otel_processor.replay.report import Report, Row
    from milvus_otel_processor.replay.tallies import Difference, Volume
    from milvus_otel_processor.telemetry.counters import Amount

DASH = "-"
_GROUPS_SHOWN = 8
_EXTRA = {
    "votes": "traces that the policy samples, or drops, whichever policy decided",
    "only": "those of them that no other policy samples, or drops",
    "cpu": "what it took to ask the policy about every trace",
}
"""What there is to tell of policies that were asked about every trace, and what it means."""
_WIDE = 120
"""Columns from which on a table has room for everything."""
_LEAST, _LEAST_POLICY, _LEAST_DECISION = 10, 20, 11
"""Columns of the screen below which names, and decisions, would be cut."""
_SUCH_AS = "such as"
_UNITS = ("B", "kB", "MB", "GB", "TB")


def print_report(report: Report, console: Console) -> None:
    """Write the decisions, what shadows would have changed, what no decision counts, and what was seen beside them."""
    console.print(
        f"{report.received.traces:,} traces, {report.received.spans:,} spans "
        f"in {report.counted.received_requests:,} requests over {report.seconds:,.1f} s",
    )
    for outcome, lines in report.counted.access_log_lines.items():
        console.print(f"{lines:,} lines of the access log {outcome}")
    decisions = _decisions(report, console.width)
    console.print(decisions.table(console.width))
    rate = report.volume.per_day(report.seconds)
    if rate is not None:
        console.print(f"kept per day at this rate: {volume_words(rate)}")
    if report.rules is None:
        return
    shown = decisions.shown(console.width)
    for title, meaning in _EXTRA.items():
        if title in shown:
            console.print(f"{title}: {meaning}")
    if left_out := [title for title in reversed(decisions.left_out) if title not in shown]:
        console.print(f"left out, for want of columns: {', '.join(left_out)}")
    if report.volumes and rate is not None:
        console.print()
        console.print(_per_day(report).table(console.width))
    if report.rules.unmatched:
        console.print()
        console.print(_unmatched(report).table(console.width))
    for line in _late(report):
        console.print(line)


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Write what is gained and lost as compared with other rules."""
    before, now = comparison.before, comparison.now
    console.print()
    console.print(f"compared with {comparison.name}, which keeps {before.traces:,} traces, {before.spans:,} spans:")
    change = f" ({(now.traces - before.traces) / before.traces:+.2%} traces)" if before.traces else ""
    console.print(f"kept {now.traces:,} traces, {now.spans:,} spans{change}")
    for word, difference in (("gained", comparison.gained), ("lost", comparison.lost)):
        console.print(f"{word} {difference.all.traces:,} traces, {difference.all.spans:,} spans")
    if comparison.policies:
        rows = [(name or DASH, f"{before:,}", f"{now:,}") for name, before, now in comparison.policies]
        console.print(Grid((Words("kept by policy", _LEAST), "before", "now"), (), [*rows]).table(console.width))
    for word, difference in (("gained", comparison.gained), ("lost", comparison.lost)):
        if difference.all.traces:
            console.print(_difference(word, difference).table(console.width))


def _difference(word: str, difference: Difference) -> Grid:
    columns = (Words(word, _LEAST), Words("", _LEAST), "traces", "spans", _SUCH_AS)
    grid = Grid(columns, (_SUCH_AS, "spans"), is_left=(_SUCH_AS,))
    for by in BY:
        for index, (key, tally) in enumerate(difference.sorted_by(by)):
            if index == _GROUPS_SHOWN:
                grid.rows.append(("", f"and {len(difference.by[by]) - index} more"))
                break
            what = key if key is not None else "(none)"
            first = f"by {by}" if not index else ""
            grid.rows.append(
                (first, printable(what), f"{tally.traces:,}", f"{tally.spans:,}", "\n".join(tally.examples))
            )
    return grid


def _decisions(report: Report, width: int) -> Grid:
    """Return the table of decisions; where the terminal is narrow, without what can be told from the rest."""
    watched = report.rules is not None
    left_out = frozenset({1, 4, 6}) if width < _WIDE else frozenset()  # the type and both shares
    extra = _EXTRA if watched else ()

    def shown(*cells: str) -> list[str]:
        return [cell for place, cell in enumerate(cells) if place not in left_out]

    decision = Words("decision", _LEAST_DECISION)
    columns = (
        Words("policy", _LEAST_POLICY),
        Words("type", _LEAST),
        decision,
        "traces",
        "share",
        "spans",
        "share",
        *extra,
    )
    grid = Grid(
        [one for place, one in enumerate(columns) if place not in left_out],
        (*reversed(extra), "spans"),
        is_left=("type",),
    )
    grid.footer = shown("kept", "", Decision.SAMPLED.value, *_figures(report, report.kept))
    for row in report.rows:
        told = _extra(row) if watched else ()
        grid.rows.append(
            shown(row.policy or DASH, row.type or DASH, row.decision, *_figures(report, row.amount), *told)
        )
    grid.rows.append(None)
    for shadow in report.shadow_rows:
        words = ", is ".join(filter(None, (f"would be {shadow.would}", shadow.decision)))
        grid.rows.append(shown(f"{shadow.policy} (shadow)", shadow.type, words, *_figures(report, shadow.amount)))
    grid.rows.append(None)
    for name, spans in report.besides():
        grid.rows.append(shown(name, "", "", "", "", f"{spans:,}", share(spans, report.received.spans)))
    return grid


def _extra(row: Row) -> tuple[str, ...]:
    amounts = (DASH if one is None else f"{one.traces:,}" for one in (row.votes, row.alone))
    return (*amounts, DASH if row.seconds is None else f"{row.seconds * 1e3:,.1f} ms")


def _per_day(report: Report) -> Grid:
    grid = Grid((Words("kept per day by", _LEAST), "traces", "spans", "bytes"), ("spans", "bytes"))
    for row in report.rows:
        volume = report.volumes.get(row.policy or "") if row.decision == Decision.SAMPLED.value else None
        rate = volume.per_day(report.seconds) if volume is not None else None
        if rate is not None:
            grid.rows.append((row.policy or DASH, f"{rate.traces:,}", f"{rate.spans:,}", bytes_words(rate.bytes)))
    return grid


def _unmatched(report: Report) -> Grid:
    columns = (Words("matched by no policy: root", _LEAST), Words("collections", _LEAST), "traces", "spans", _SUCH_AS)
    grid = Grid(columns, (_SUCH_AS, "spans"), is_left=(_SUCH_AS,))
    groups = report.unmatched()
    for kind, tally in groups[:_GROUPS_SHOWN]:
        names = ", ".join(kind.collections) or DASH
        grid.rows.append(
            (printable(kind.root), printable(names), f"{tally.traces:,}", f"{tally.spans:,}", tally.examples[0])
        )
    rest = groups[_GROUPS_SHOWN:]
    if rest:
        traces, spans = (sum(amounts) for amounts in zip(*((one.traces, one.spans) for _, one in rest), strict=True))
        grid.rows.append((f"and {len(rest)} more", "", f"{traces:,}", f"{spans:,}"))
    return grid


def _late(report: Report) -> Iterator[str]:
    assert report.rules is not None
    late, without = report.rules.late, report.rules.without_root
    yield ""
    yield f"decided without their root: {without:,} traces ({share(without, report.received.traces)})"
    ages = late.ages()
    others = sum(report.counted.late_spans.values()) - late.spans
    if ages is None:
        yield "no span came late" + (
            f", but for {others:,} of traces that their root had dropped at once" if others else ""
        )
        return
    more = f"; {others:,} more are of traces that their root had dropped at once" if others else ""
    yield (
        f"late: {amount(late.spans, 'span')} of {amount(late.traces, 'trace')}, half of them within {ages.median:,.1f} s of their "
        f"trace's first span, 99 % within {ages.most:,.1f} s, the last after {ages.latest:,.1f} s{more}"
    )
    yield f"with decision_wait: {ages.wait:.1f}s 99 % of them would have come in time"
    yield from _changes(late.kept, "would have been kept by")
    yield from _changes(late.not_kept, "would not have been kept, for")


def _changes(change: Change, words: str) -> Iterator[str]:
    for policy, traces in change.by_policy.items():
        yield f"with the late spans, {amount(traces, 'trace')} {words} {policy}"
    if change.examples:
        yield f"  such as {', '.join(change.examples)}"


def _figures(report: Report, counted: Amount) -> tuple[str, str, str, str]:
    return (
        f"{counted.traces:,}",
        share(counted.traces, report.received.traces),
        f"{counted.spans:,}",
        share(counted.spans, report.received.spans),
    )


def share(part: int, whole: int) -> str:
    """Return how much of the whole a part is: `12.50%`."""
    return f"{part / whole:.2%}" if whole else DASH


def bytes_words(size: float) -> str:
    """Return a number of bytes with the unit that fits it: `1.5 GB`."""
    for unit in _UNITS:
        if size < 1000 or unit == _UNITS[-1]:
            break
        size /= 1000
    return f"{size:,.0f} {unit}" if unit == _UNITS[0] else f"{size:,.1f} {unit}"


def volume_words(volume: Volume) -> str:
    """Return it in words."""
    return f"{volume.traces:,} traces, {volume.spans:,} spans, {bytes_words(volume.bytes)}"
