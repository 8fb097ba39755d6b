"""What came of a replay, by policy: the figures, and as JSON for programs; `tables.py` writes them for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from milvus_otel_processor.pipeline.late import NOT_SAMPLED, SAMPLED
from milvus_otel_processor.replay.counted import CountedRules
from milvus_otel_processor.replay.tallies import Tally, Volume
from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.sampling.shadow import SHADOW
from milvus_otel_processor.telemetry.counters import Amount

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milvus_otel_processor.replay.late_spans import Change
    from milvus_otel_processor.replay.left_out import LeftOut
    from milvus_otel_processor.replay.runner import Outcome
    from milvus_otel_processor.replay.tallies import Kind
    from milvus_otel_processor.sampling.rules import Rules
    from milvus_otel_processor.sampling.settings import TailSamplingSettings

_MOST_GROUPS = 50
"""Kinds of traces that no policy matched which are listed."""


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
    seconds: float | None = None
    """The time that the policy took."""


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
        self.rules = rules if isinstance(rules, CountedRules) else None
        self.counted = outcome.counted
        self.seconds = outcome.seconds
        policies = sampling.policies if sampling is not None else []
        self._policies = {policy.name: policy.type for policy in policies if policy.mode != SHADOW}
        self._shadows = {policy.name: policy.type for policy in policies if policy.mode == SHADOW}
        self.rows = list(self._rows())
        self.shadow_rows = list(self._shadow_rows())
        decided = self.counted.decisions.values()
        self.received = Amount(sum(amount.traces for amount in decided), self.counted.received_spans)
        self.kept = Amount(self._traces(Decision.SAMPLED.value), self.counted.exported_spans)
        self.volume = Volume(self.kept.traces, self.kept.spans, outcome.kept_bytes)
        self.volumes = self.rules.kept.volumes if self.rules is not None else {}
        """What each policy keeps, late spans included; empty where it was not counted."""

    def _rows(self) -> Iterator[Row]:
        decisions = dict(self.counted.decisions)
        for name, type_ in self._policies.items():
            own = [decision for decision, policy in decisions if policy == name]
            for decision in own or [_usual(type_)]:
                amount = decisions.pop((decision, name), Amount())
                yield Row(name, type_, decision, amount, *self._votes(name, decision, amount))
        for (decision, policy), amount in decisions.items():
            yield Row(policy or None, None, decision, amount)

    def _votes(self, policy: str, decision: str, decided: Amount) -> tuple[Amount | None, Amount | None, float | None]:
        """Return what the policy samples or drops, what of it no other policy does, and its time; None where not counted."""
        if self.rules is None:
            return None, None, None
        at_once = Amount()
        if decision == Decision.DROPPED.value:
            # What the names of roots have dropped at once: no other policy was asked about it.
            asked = self.rules.dropped.get(policy, Tally())
            at_once = Amount(decided.traces - asked.traces, decided.spans - asked.spans)
        votes, alone = self.rules.votes.get(policy), self.rules.alone.get(policy)
        return _sum(votes, at_once), _sum(alone, at_once), self.rules.seconds.get(policy, 0.0)

    def _shadow_rows(self) -> Iterator[ShadowRow]:
        counts = self.counted.shadow_decisions
        for name, type_ in self._shadows.items():
            own = sorted(key for key in counts if key[0] == name)
            for _, would, decision in own:
                yield ShadowRow(name, type_, would, decision, counts[name, would, decision])
            if not own:
                yield ShadowRow(name, type_, _usual(type_), None, Amount())

    def _traces(self, decision: str) -> int:
        return sum(amount.traces for (found, _), amount in self.counted.decisions.items() if found == decision)

    def unmatched(self) -> list[tuple[Kind, Tally]]:
        """Return the kinds of traces that no policy sampled or dropped, those with the most traces first."""
        groups = self.rules.unmatched if self.rules is not None else {}
        return sorted(groups.items(), key=lambda group: (-group[1].traces, group[0]))

    def besides(self) -> Iterator[tuple[str, int]]:
        """Yield what became of spans that no decision over their trace counts, and of those that a decision did not help."""
        counted = self.counted
        yield "late, kept with their trace", counted.late_spans.get(SAMPLED, 0)
        yield "late, not kept as their trace", counted.late_spans.get(NOT_SAMPLED, 0)
        for reason, spans in counted.refused_spans.items():
            yield f"refused: {reason}", spans
        for reason, spans in counted.lost_spans.items():
            yield f"lost: {reason}", spans

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it; shares are of all that was received, from 0 to 1."""
        counted = self.counted
        return {
            "recording": {"requests": counted.received_requests, "seconds": round(self.seconds, 3)},
            "received": self.received.__dict__,
            "kept": {**self.kept.__dict__, **self._shares(self.kept)},
            "per_day": _per_day(self.volume, self.seconds),
            "policies": [self._policy(row) for row in self.rows],
            "shadow_policies": [
                {"policy": row.policy, "type": row.type, "would_decide": row.would, "decision": row.decision}
                | row.amount.__dict__
                | self._shares(row.amount)
                for row in self.shadow_rows
            ],
            "late_spans": {key: counted.late_spans.get(key, 0) for key in (SAMPLED, NOT_SAMPLED)},
            **self._watched(),
            "early_decisions": counted.early_decisions,
            "enriched_spans": counted.enriched_spans,
            "access_log_lines": counted.access_log_lines,
            "refused_spans": counted.refused_spans,
            "lost_spans": counted.lost_spans,
            "left_out": self._left_out.figures(),
        }

    def _policy(self, row: Row) -> dict[str, Any]:
        volume = self.volumes.get(row.policy or "", Volume()) if row.decision == Decision.SAMPLED.value else None
        return {
            "policy": row.policy,
            "type": row.type,
            "decision": row.decision,
            **row.amount.__dict__,
            **self._shares(row.amount),
            "votes": _dict(row.votes),
            "only": _dict(row.alone),
            "cpu_seconds": round(row.seconds, 6) if row.seconds is not None else None,
            "per_day": _per_day(volume, self.seconds) if volume is not None and self.rules is not None else None,
        }

    def _watched(self) -> dict[str, Any]:
        """Return what is only known where every trace was looked at."""
        if self.rules is None:
            return {}
        late, groups = self.rules.late, self.unmatched()
        ages = late.ages()
        return {
            "late": {
                "traces": late.traces,
                "spans": late.spans,
                "seconds_after_first_span": None
                if ages is None
                else {"p50": round(ages.median, 3), "p99": round(ages.most, 3), "max": round(ages.latest, 3)},
                "decision_wait_for_99_percent": None if ages is None else f"{ages.wait:.1f}s",
                "would_have_been_kept": _change(late.kept),
                "would_not_have_been_kept": _change(late.not_kept),
            },
            "decided_without_root": {
                "traces": self.rules.without_root,
                "traces_share": self._shares(Amount(self.rules.without_root, 0))["traces_share"],
            },
            "unmatched": [
                {"root": kind.root, "collections": kind.collections, "traces": tally.traces, "spans": tally.spans}
                | {"examples": tally.examples}
                for kind, tally in groups[:_MOST_GROUPS]
            ],
            "unmatched_groups": len(groups),
        }

    def _shares(self, amount: Amount) -> dict[str, float]:
        traces, spans = self.received.traces, self.received.spans
        return {
            "traces_share": round(amount.traces / traces, 6) if traces else 0.0,
            "spans_share": round(amount.spans / spans, 6) if spans else 0.0,
        }


def _sum(tally: Tally | None, more: Amount) -> Amount:
    counted = tally if tally is not None else Tally()
    return Amount(counted.traces + more.traces, counted.spans + more.spans)


def _dict(amount: Amount | None) -> dict[str, int] | None:
    return amount.__dict__ if amount is not None else None


def _per_day(volume: Volume, seconds: float) -> dict[str, int] | None:
    rate = volume.per_day(seconds)
    return rate.__dict__ if rate is not None else None


def _change(change: Change) -> dict[str, Any]:
    return {
        "traces": change.traces,
        "spans": change.spans,
        "policies": change.by_policy,
        "examples": change.examples,
    }


def _usual(policy_type: str) -> str:
    """Return what a policy of this type decides where it decides something."""
    return Decision.DROPPED.value if policy_type == "drop" else Decision.SAMPLED.value
