"""Two sets of rules on the same traffic: what the one keeps and the other does not."""

from __future__ import annotations

import re
from operator import ge, gt, le, lt
from typing import TYPE_CHECKING, Any, NamedTuple

from milvus_otel_processor.replay.counted import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator

    from milvus_otel_processor.replay.counted import Kept
    from milvus_otel_processor.replay.report import Report
    from milvus_otel_processor.replay.runner import Outcome

BY = ("policy", "collection", "root")
"""What gained and lost traces are told apart by."""

_OPERATORS: dict[str, Callable[[float, float], bool]] = {">": gt, ">=": ge, "<": lt, "<=": le}
_LIMIT = re.compile(r"(kept|gained|lost)(?:\.(traces|spans|bytes))?\s*(>=|<=|>|<)\s*([+-]?)(\d+(?:\.\d+)?)\s*(%?)")
_EXPECTED = (
    "expected kept, gained or lost (of traces, or .spans), an operator and a number, such as 'kept>+20%' for a fifth more than "
    "before, 'lost>0', 'kept>15%' for a share of all traces, or 'kept.spans>100000'"
)


class Difference:
    """The traces that one set of rules keeps and another does not."""

    def __init__(self) -> None:
        self.all = Tally()
        self.by: dict[str, dict[str | None, Tally]] = {one: {} for one in BY}
        """By policy, by each collection (None where there is none), and by root."""

    def add(self, trace_id: bytes, kept: Kept, spans: int) -> None:
        """Count a trace, with all of its spans that were kept."""
        self.all.add(spans, trace_id)
        self._add("policy", kept.policy, trace_id, spans)
        self._add("root", kept.kind.root, trace_id, spans)
        for collection in kept.kind.collections or (None,):
            self._add("collection", collection, trace_id, spans)

    def _add(self, by: str, key: str | None, trace_id: bytes, spans: int) -> None:
        self.by[by].setdefault(key, Tally()).add(spans, trace_id)

    def sorted_by(self, by: str) -> list[tuple[str | None, Tally]]:
        """Return the traces by policy, collection or root, the most first."""
        return sorted(self.by[by].items(), key=lambda item: (-item[1].traces, item[0] or ""))

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return _figures(self.all) | {
            f"by_{by}": [{by: key, **_figures(tally)} for key, tally in self.sorted_by(by)] for by in BY
        }


class Side(NamedTuple):
    """What came of one of the two sets of rules."""

    outcome: Outcome
    report: Report

    @property
    def kept(self) -> dict[bytes, Kept]:
        """The traces that it keeps, by id."""
        assert self.report.rules is not None
        return self.report.rules.kept


class Comparison:
    """What is gained and lost by some rules, as compared with others that were there before."""

    def __init__(self, name: str, now: Side, before: Side) -> None:
        self.name = name
        """The file of those before."""
        self.now, self.before = now.report.volume, before.report.volume
        self.gained, self.lost = _difference(now, before), _difference(before, now)
        self.policies = list(_policies(now, before))
        """Each policy of either, with the traces that it keeps before and now."""

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it: what the others keep, what is gained and lost as compared with them."""
        change = (self.now.traces - self.before.traces) / self.before.traces if self.before.traces else None
        return {
            "config": self.name,
            "kept": self.before.__dict__,
            "change": round(change, 6) if change is not None else None,
            "policies": [{"policy": name, "kept_before": before, "kept": now} for name, before, now in self.policies],
            "gained": self.gained.document(),
            "lost": self.lost.document(),
        }


def _difference(one: Side, other: Side) -> Difference:
    difference = Difference()
    for trace_id, kept in one.kept.items():
        if trace_id not in other.kept:
            spans, _ = one.outcome.kept_by_trace.get(trace_id, (0, 0))
            difference.add(trace_id, kept, spans)
    return difference


def _policies(now: Side, before: Side) -> Iterator[tuple[str, int, int]]:
    kept_now, kept_before = (_by_policy(side.kept.values()) for side in (now, before))
    names = [row.policy or "" for side in (before, now) for row in side.report.rows]
    for name in dict.fromkeys(one for one in names if one in kept_before or one in kept_now):
        yield name, kept_before.get(name, 0), kept_now.get(name, 0)


def _by_policy(kept: Iterable[Kept]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for one in kept:
        counts[one.policy] = counts.get(one.policy, 0) + 1
    return counts


def _figures(tally: Tally) -> dict[str, Hashable | list[str]]:
    return {"traces": tally.traces, "spans": tally.spans, "examples": tally.examples}


class Limit(NamedTuple):
    """What `--fail-over` says: a figure, and the bound that it must not be beyond."""

    text: str
    figure: str
    unit: str
    operator: str
    sign: str
    number: float
    is_percent: bool

    @property
    def compares(self) -> bool:
        """Whether it takes another set of rules to tell."""
        return bool(self.sign) or self.figure != "kept"

    def exceeded(self, report: Report, comparison: Comparison | None) -> str | None:
        """Return in words how it is exceeded; None where it is not."""
        value, shown = self._value(report, comparison)
        bound = -self.number if self.sign == "-" else self.number
        return f"{self.text}: {shown}" if _OPERATORS[self.operator](value, bound) else None

    def _value(self, report: Report, comparison: Comparison | None) -> tuple[float, str]:
        now = _of(report.volume, self.unit)
        if comparison is None or (self.figure == "kept" and not self.sign):
            whole = _of(report.received, self.unit) if self.unit != "bytes" else 0
            value = _percent(now, whole) if self.is_percent else now
            return value, f"{now:,} {self.unit} are kept" + (f", {value:.2f} % of all" if self.is_percent else "")
        before = _of(comparison.before, self.unit)
        if self.figure == "kept":
            change = now - before
            words = f"{now:,} {self.unit} are kept, {before:,} before"
        else:
            tally = (comparison.gained if self.figure == "gained" else comparison.lost).all
            change = tally.traces if self.unit == "traces" else tally.spans
            words = f"{change:,} {self.unit} are {self.figure}"
        if not self.is_percent:
            return change, words
        return _percent(change, before), f"{words}: {_percent(change, before):+.2f} % of those before"


def read_limit(text: str) -> Limit:
    """Return the limit that a text such as `kept>+20%` says. Raises ValueError."""
    match = _LIMIT.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no limit, {_EXPECTED}")
    figure, unit, operator, sign, number, percent = match.groups()
    if unit == "bytes" and (figure != "kept" or (percent and not sign)):
        raise ValueError(f"{text!r}: bytes are known of what is kept, as a number or a change, {_EXPECTED}")
    return Limit(text.strip(), figure, unit or "traces", operator, sign, float(number), bool(percent))


def _of(volume: Any, unit: str) -> int:
    found: int = getattr(volume, unit)
    return found


def _percent(part: float, whole: float) -> float:
    """Return the percentage; of nothing anything is more than any bound."""
    if not whole:
        return 0.0 if not part else float("inf") if part > 0 else float("-inf")
    return 100 * part / whole
