"""Two sets of rules on the same traffic: what the one keeps and the other does not."""

from __future__ import annotations

import re
from operator import ge, gt, le, lt
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from milvus_otel_processor.replay.kept_traces import SideOfKept
    from milvus_otel_processor.replay.report import Report
    from milvus_otel_processor.replay.runner import Outcome

_OPERATORS: dict[str, Callable[[float, float], bool]] = {">": gt, ">=": ge, "<": lt, "<=": le}
_LIMIT = re.compile(r"(kept|gained|lost)(?:\.(traces|spans|bytes))?\s*(>=|<=|>|<)\s*([+-]?)(\d+(?:\.\d+)?)\s*(%?)")
_EXPECTED = (
    "expected kept, gained or lost (of traces, or .spans), an operator and a number, such as 'kept>+20%' for a fifth more than "
    "before, 'lost>0', 'kept>15%' for a share of all traces, or 'kept.spans>100000'"
)


class Side(NamedTuple):
    """What came of one of the two sets of rules."""

    outcome: Outcome
    report: Report

    @property
    def kept(self) -> SideOfKept:
        """The traces that it keeps."""
        assert self.report.rules is not None
        return self.report.rules.kept


class Comparison:
    """What is gained and lost by some rules, as compared with others that were there before."""

    def __init__(self, name: str, now: Side, before: Side) -> None:
        self.name = name
        """The file of those before."""
        self.now, self.before = now.report.volume, before.report.volume
        self.gained, self.lost = now.kept.alone, before.kept.alone
        self.unsure = now.kept.unsure
        """Traces that were compared before both had decided: too many were kept to remember them all for so long."""
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
            "unsure": self.unsure,
            "gained": self.gained.document(),
            "lost": self.lost.document(),
        }


def _policies(now: Side, before: Side) -> Iterator[tuple[str, int, int]]:
    kept_now, kept_before = (
        {policy: volume.traces for policy, volume in side.kept.volumes.items()} for side in (now, before)
    )
    names = [row.policy or "" for side in (before, now) for row in side.report.rows]
    for name in dict.fromkeys(one for one in names if one in kept_before or one in kept_now):
        yield name, kept_before.get(name, 0), kept_now.get(name, 0)


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
