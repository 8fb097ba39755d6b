"""What came of a replay, by policy: as a table for people, as JSON for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table

from milvus_otel_processor.pipeline.late import NOT_SAMPLED, SAMPLED
from milvus_otel_processor.replay.watch import CountedRules, Tally
from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.sampling.shadow import SHADOW
from milvus_otel_processor.telemetry.counters import Amount

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

    from milvus_otel_processor.replay.left_out import LeftOut
    from milvus_otel_processor.replay.runner import Outcome
    from milvus_otel_processor.sampling.rules import Rules
    from milvus_otel_processor.sampling.settings import TailSamplingSettings

_UNCAPPED_WIDTH = 200  # where it is not a terminal that is written to
_DASH = "-"


class Row(NamedTuple):
    """The traces, and their spans, over which one decision was made by one policy."""

    policy: str | None
    """None where no policy decided."""
    type: str | None
    decision: str
    amount: Amount
    votes: Amount | None = None
    """The traces that the policy samples, or drops, whichever policy decided; None where no policy is meant."""
    alone: Amount | None = None
    """Those of them that no other policy samples, or drops."""


class ShadowRow(NamedTuple):
    """The traces, and their spans, over which a policy with `mode: shadow` would have made one decision."""

    policy: str
    type: str
    would: str
    decision: str | None
    """What was decided; None where the policy would have decided nothing."""
    amount: Amount


class Report:
    """The counts of a replay, by policy in the order of the configuration, and altogether."""

    def __init__(
        self, outcome: Outcome, sampling: TailSamplingSettings | None, left_out: LeftOut, rules: Rules
    ) -> None:
        self._left_out = left_out
        self._rules = rules if isinstance(rules, CountedRules) else None
        self._counted = outcome.counted
        self._seconds = outcome.seconds
        policies = sampling.policies if sampling is not None else []
        self._policies = {policy.name: policy.type for policy in policies if policy.mode != SHADOW}
        self._shadows = {policy.name: policy.type for policy in policies if policy.mode == SHADOW}
        self.rows = list(self._rows())
        self.shadow_rows = list(self._shadow_rows())
        decided = self._counted.decisions.values()
        self.received = Amount(sum(amount.traces for amount in decided), self._counted.received_spans)
        self.kept = Amount(self._traces(Decision.SAMPLED.value), self._counted.exported_spans)

    def _rows(self) -> Iterator[Row]:
        decisions = dict(self._counted.decisions)
        for name, type_ in self._policies.items():
            own = [decision for decision, policy in decisions if policy == name]
            for decision in own or [_usual(type_)]:
                amount = decisions.pop((decision, name), Amount())
                yield Row(name, type_, decision, amount, *self._votes(name, decision, amount))
        for (decision, policy), amount in decisions.items():
            yield Row(policy or None, None, decision, amount)

    def _votes(self, policy: str, decision: str, decided: Amount) -> tuple[Amount | None, Amount | None]:
        """Return what the policy samples or drops, and what of it no other policy does; None where that was not counted."""
        if self._rules is None:
            return None, None
        at_once = Amount()
        if decision == Decision.DROPPED.value:
            # What the names of roots have dropped at once: no other policy was asked about it.
            asked = self._rules.dropped.get(policy, Tally())
            at_once = Amount(decided.traces - asked.traces, decided.spans - asked.spans)
        votes, alone = self._rules.votes.get(policy), self._rules.alone.get(policy)
        return _sum(votes, at_once), _sum(alone, at_once)

    def _shadow_rows(self) -> Iterator[ShadowRow]:
        counts = self._counted.shadow_decisions
        for name, type_ in self._shadows.items():
            own = sorted(key for key in counts if key[0] == name)
            for _, would, decision in own:
                yield ShadowRow(name, type_, would, decision, counts[name, would, decision])
            if not own:
                yield ShadowRow(name, type_, _usual(type_), None, Amount())

    def _traces(self, decision: str) -> int:
        return sum(amount.traces for (found, _), amount in self._counted.decisions.items() if found == decision)

    def to_json(self) -> str:
        """Return it as a JSON document; shares are of all that was received, from 0 to 1."""
        counted = self._counted
        document = {
            "recording": {"requests": counted.received_requests, "seconds": round(self._seconds, 3)},
            "received": self.received.__dict__,
            "kept": {**self.kept.__dict__, **self._shares(self.kept)},
            "policies": [
                {"policy": row.policy, "type": row.type, "decision": row.decision}
                | row.amount.__dict__
                | self._shares(row.amount)
                | {"votes": _dict(row.votes), "only": _dict(row.alone)}
                for row in self.rows
            ],
            "shadow_policies": [
                {"policy": row.policy, "type": row.type, "would_decide": row.would, "decision": row.decision}
                | row.amount.__dict__
                | self._shares(row.amount)
                for row in self.shadow_rows
            ],
            "late_spans": {key: counted.late_spans.get(key, 0) for key in (SAMPLED, NOT_SAMPLED)},
            "early_decisions": counted.early_decisions,
            "enriched_spans": counted.enriched_spans,
            "access_log_lines": counted.access_log_lines,
            "refused_spans": counted.refused_spans,
            "lost_spans": counted.lost_spans,
            "left_out": self._left_out.figures(),
        }
        return json.dumps(document, indent=2, ensure_ascii=False)

    def _shares(self, amount: Amount) -> dict[str, float]:
        traces, spans = self.received.traces, self.received.spans
        return {
            "traces_share": round(amount.traces / traces, 6) if traces else 0.0,
            "spans_share": round(amount.spans / spans, 6) if spans else 0.0,
        }

    def print_table(self, file: TextIO) -> None:
        """Write it as a table: the decisions, what shadows would have changed, and what no decision counts."""
        console = Console(file=file, highlight=False, markup=False)
        if not console.is_terminal:
            console.width = _UNCAPPED_WIDTH
        console.print(
            f"{self.received.traces:,} traces, {self.received.spans:,} spans "
            f"in {self._counted.received_requests:,} requests over {self._seconds:,.1f} s",
        )
        for outcome, lines in self._counted.access_log_lines.items():
            console.print(f"{lines:,} lines of the access log {outcome}")
        console.print(self._table())
        if self._rules is not None:
            console.print("votes: traces that the policy samples, or drops, whichever policy decided")
            console.print("only: those of them that no other policy samples, or drops")

    def _table(self) -> Table:
        table = Table(box=box.SIMPLE_HEAD, show_footer=True)
        table.add_column("policy", "kept", overflow="fold")
        table.add_column("type")
        table.add_column("decision", Decision.SAMPLED.value)
        for header, footer in zip(("traces", "share", "spans", "share"), self._figures(self.kept), strict=True):
            table.add_column(header, footer, justify="right")
        for header in ("votes", "only") if self._rules is not None else ():
            table.add_column(header, justify="right")
        for row in self.rows:
            table.add_row(
                row.policy or _DASH,
                row.type or _DASH,
                row.decision,
                *self._figures(row.amount),
                *(
                    _DASH if amount is None else f"{amount.traces:,}"
                    for amount in ((row.votes, row.alone) if self._rules is not None else ())
                ),
            )
        table.add_section()
        for shadow in self.shadow_rows:
            decision = ", is ".join(filter(None, (f"would be {shadow.would}", shadow.decision)))
            table.add_row(f"{shadow.policy} (shadow)", shadow.type, decision, *self._figures(shadow.amount))
        table.add_section()
        for name, spans in self._besides():
            table.add_row(name, "", "", "", "", f"{spans:,}", self._share(spans, self.received.spans))
        return table

    def _besides(self) -> Iterator[tuple[str, int]]:
        """Yield what became of spans that no decision over their trace counts, and of those that a decision did not help."""
        counted = self._counted
        yield "late, kept with their trace", counted.late_spans.get(SAMPLED, 0)
        yield "late, not kept as their trace", counted.late_spans.get(NOT_SAMPLED, 0)
        for reason, spans in counted.refused_spans.items():
            yield f"refused: {reason}", spans
        for reason, spans in counted.lost_spans.items():
            yield f"lost: {reason}", spans

    def _figures(self, amount: Amount) -> tuple[str, str, str, str]:
        return (
            f"{amount.traces:,}",
            self._share(amount.traces, self.received.traces),
            f"{amount.spans:,}",
            self._share(amount.spans, self.received.spans),
        )

    @staticmethod
    def _share(part: int, whole: int) -> str:
        return f"{part / whole:.2%}" if whole else _DASH


def _sum(tally: Tally | None, more: Amount) -> Amount:
    counted = tally if tally is not None else Tally()
    return Amount(counted.traces + more.traces, counted.spans + more.spans)


def _dict(amount: Amount | None) -> dict[str, int] | None:
    return amount.__dict__ if amount is not None else None


def _usual(policy_type: str) -> str:
    """Return what a policy of this type decides where it decides something."""
    return Decision.DROPPED.value if policy_type == "drop" else Decision.SAMPLED.value
