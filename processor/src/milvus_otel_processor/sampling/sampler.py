"""Asks the policies about a trace and makes one decision of their answers."""

from __future__ import annotations

import logging
from collections import Counter
from contextlib import suppress
from time import thread_time
from typing import TYPE_CHECKING, Literal, NamedTuple

from milvus_otel_processor.sampling.adjusted_counts import read_incoming
from milvus_otel_processor.sampling.decision import NOT_SAMPLED, Decision, Verdict
from milvus_otel_processor.sampling.explanation import Explanation, PolicyExplanation, TraceExplanation
from milvus_otel_processor.sampling.hints.drops import sure_drops
from milvus_otel_processor.sampling.hints.prefilter import Candidate, Prefilter
from milvus_otel_processor.sampling.hints.reads import Reads
from milvus_otel_processor.sampling.hints.wanted import wanted_by
from milvus_otel_processor.sampling.policies import SYSTEM_CLOCK, EvaluationError
from milvus_otel_processor.sampling.policies.base import labelled
from milvus_otel_processor.sampling.policies.drop import Drop
from milvus_otel_processor.sampling.shadow import SHADOW
from milvus_otel_processor.sampling.thresholds import ALWAYS, NEVER, UNKNOWN
from milvus_otel_processor.spans.contract import ASK
from milvus_otel_processor.spans.schema import DecodeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from milvus_otel_processor.sampling.hints.drops import SureDrops
    from milvus_otel_processor.sampling.policies import Clock, Evaluator, Policy
    from milvus_otel_processor.sampling.settings import TailSamplingSettings
    from milvus_otel_processor.spans.contract import Trace
    from milvus_otel_processor.spans.groups import Group
    from milvus_otel_processor.spans.wanted import Wanted

_log = logging.getLogger(__name__)


class _Rule(NamedTuple):
    evaluator: Evaluator
    sampled: Verdict
    dropped: Verdict


class _Step(NamedTuple):
    rule: _Rule
    behind: list[_Rule]
    """The rules behind this one that are asked about a trace that this one samples."""
    drops: bool = False
    by_root: bool = False
    """Whether it can only match where the name of a root span does."""


class Sampler:
    """The policies of a `tail_sampling` block, in the order in which they count.

    Precedence is the Collector's (tailsamplingprocessor/processor.go, `loadSamplingPolicies` and `makeDecision`, v0.158):
    `drop` policies are asked first and one that drops ends it; then the others in turn, and the first that samples gives its
    name. Unless `sample_on_first_match` is set, the rest are asked too, as the Collector does: those with a memory, so that
    they know of the trace, and the others for how they vote.
    """

    def __init__(
        self,
        settings: TailSamplingSettings,
        clock: Clock = SYSTEM_CLOCK,
        evaluation_errors: Counter[str] | None = None,
        further_votes: Counter[str] | None = None,
    ) -> None:
        self._policies = settings.policies
        rules = _rules([policy for policy in settings.policies if policy.mode != SHADOW], clock)
        self._drops = [rule for rule in rules if isinstance(rule.evaluator, Drop)]
        self.drops_early = any(map(_may_drop_early, self._drops))
        """Whether any root span can settle a verdict at once."""
        self.drops_early_by_resource = any(
            isinstance(rule.evaluator, Drop) and rule.evaluator.asks_resource for rule in self._drops
        )
        """Whether that takes the resource of the root span as well, for any of them."""
        keeps = [rule for rule in rules if not isinstance(rule.evaluator, Drop)]
        self._stops = stops = settings.sample_on_first_match
        self._adjusts = settings.adjusted_counts
        self._keeps = keeps
        behind = [[] if stops else keeps[place + 1 :] for place in range(len(keeps))]
        self._root_matches = [match for rule in rules if (match := rule.evaluator.root_matches) is not None]
        steps = [_Step(rule, [], drops=True, by_root=_needs_root(rule)) for rule in self._drops]
        steps += [_Step(*step, by_root=_needs_root(step[0])) for step in zip(keeps, behind, strict=True)]
        self._prefilter = Prefilter([Candidate(step, step.rule.evaluator.needles) for step in steps])
        self._lasting = [rule for rule in keeps if rule.evaluator.lasting]
        self.samples_early = stops and not self._adjusts and bool(self._lasting) and not self._drops
        """Whether a trace can be sampled for good before all of it has arrived: see `sampled_early`."""
        self._shadows = _rules([policy for policy in settings.policies if policy.mode == SHADOW], clock)
        self.has_shadows = bool(self._shadows)
        self.reads = max((rule.evaluator.reads for rule in (*rules, *self._shadows)), default=Reads.NOTHING)
        """What a decision may depend on of what enrichment writes."""
        self.evaluation_errors: Counter[str] = Counter() if evaluation_errors is None else evaluation_errors
        """How often each policy had no answer, by its name; counted into the argument where there is one."""
        self.further_votes: Counter[str] = Counter() if further_votes is None else further_votes
        """How often each policy sampled a trace that one before it had sampled; likewise."""
        self.counts_votes = True
        """Whether policies without a memory are asked for that; those with one are asked in any case."""
        self._told: set[str] = set()

    def wants(self, *, roots_are_asked: bool) -> list[Wanted] | None:
        """Return what a trace has to have for any rule to match; None where every trace has to be looked at."""
        if self._adjusts:
            return None
        rules = (*self._drops, *self._keeps, *self._shadows)
        found = [wanted_by(rule.evaluator, roots_are_asked=roots_are_asked) for rule in rules]
        some = [one for one in found if one is not None]
        return some if len(some) == len(found) else None

    def drops(self) -> SureDrops | None:
        """Return which complete traces are dropped by their root, where nothing else in them is in the way."""
        return sure_drops([(rule.evaluator, rule.dropped) for rule in self._drops if isinstance(rule.evaluator, Drop)])

    def decide(self, trace: Trace, *, roots_were_asked: bool = False) -> Verdict:
        """Return the decision over the trace, and by which policy. Raises DecodeError at a malformed span.

        `roots_were_asked` says that the name of every root span of the trace was given to `of_root` when it came, and each time
        the answer was None; rules that need such a name cannot match then, and are not asked.
        """
        if self._adjusts:
            return self._decide_with_threshold(trace, roots_were_asked=roots_were_asked)
        steps = self._prefilter.rules(trace)
        for rule, behind, drops, by_root in steps:
            if by_root and roots_were_asked:
                continue
            try:  # as `_answer` does it, without a call for every rule and trace
                decision = rule.evaluator.evaluate(trace)
            except EvaluationError as error:
                self._has_no_answer(rule, trace, error)
                continue
            if decision is not Decision.NOT_SAMPLED:
                if drops:
                    return rule.dropped
                if behind:
                    self._ask_rest(behind, steps, trace, roots_were_asked=roots_were_asked)
                return rule.sampled
        return NOT_SAMPLED

    def of_root(self, name: bytes, group: Group | None = None) -> Verdict | Literal["ask"] | None:
        """Return the verdict that a root span of this name, and of this resource, settles at once, whatever else arrives.

        ASK where it settles nothing, and rules may match by it; None where none of the rules that look at such names does.
        """
        for rule in self._drops:
            if isinstance(rule.evaluator, Drop) and rule.evaluator.drops_root(name, group):
                return rule.dropped
        return ASK if any(matches(name) for matches in self._root_matches) else None

    def sampled_early(self, trace: Trace) -> bool:
        """Tell whether a policy samples what there is of a trace, and would go on to, whatever else arrives.

        With `sample_on_first_match`, where the first policy that samples is the last that is asked, that settles it. Raises
        DecodeError at a malformed span.
        """
        return any(self._matches(rule, trace) for rule in self._lasting)

    def _decide_with_threshold(self, trace: Trace, *, roots_were_asked: bool) -> Verdict:
        """Ask all policies that may know of a higher probability than those before, and set the trace's threshold by it.

        Their probabilities are compared with the same random number, so that the greatest is that of any of them sampling the
        trace: the lowest threshold counts (tailsamplingprocessor/processor.go, v0.158, `makeDecision`). Of a trace that only
        policies of unknown probability sampled it is unknown; the Collector takes it for certain.
        """
        read_incoming(trace)
        for rule in self._drops:
            if not (roots_were_asked and _needs_root(rule)) and self._matches(rule, trace):
                return rule.dropped
        verdict, lowest = NOT_SAMPLED, NEVER
        for rule in self._keeps:
            evaluator, found = rule.evaluator, verdict is not NOT_SAMPLED
            if found and (self._stops if evaluator.stateful else lowest == ALWAYS):
                continue
            if self._matches(rule, trace):
                if found:
                    self.further_votes[rule.sampled.policy or ""] += 1
                verdict = verdict if found else rule.sampled
                threshold = evaluator.threshold(trace)
                lowest = lowest if threshold == UNKNOWN else min(lowest, threshold)
        if verdict is not NOT_SAMPLED:
            trace.threshold = UNKNOWN if lowest == NEVER else lowest
        return verdict

    def _matches(self, rule: _Rule, trace: Trace) -> bool:
        return self._answer(rule, trace) is not Decision.NOT_SAMPLED

    def _answer(self, rule: _Rule, trace: Trace) -> Decision:
        try:
            return rule.evaluator.evaluate(trace)
        except EvaluationError as error:
            self._has_no_answer(rule, trace, error)
            return Decision.NOT_SAMPLED

    def votes(
        self, trace: Trace, seconds: dict[str, float] | None = None, stopwatch: Callable[[], float] = thread_time
    ) -> tuple[Verdict, list[str]]:
        """Return the verdict that `decide` returns, and the policies that sample the trace, or drop it if one does.

        Every policy is asked at the most once; where `decide` does not ask one with a memory, it is not asked here either. What
        each of them took is added to `seconds`, by its name. Raises DecodeError at a malformed span.
        """
        if self._adjusts:
            read_incoming(trace)
        dropped: list[Verdict] = []
        sampled: list[Verdict] = []
        lowest = NEVER
        began = stopwatch()
        for rule in self._drops:
            if self._matches(rule, trace):
                dropped.append(rule.dropped)
            began = _clocked(seconds, rule, began, stopwatch)
        for rule in self._keeps if not dropped else ():
            if (not sampled or not self._stops or not rule.evaluator.stateful) and self._matches(rule, trace):
                sampled.append(rule.sampled)
                threshold = rule.evaluator.threshold(trace) if self._adjusts else UNKNOWN
                lowest = lowest if threshold == UNKNOWN else min(lowest, threshold)
            began = _clocked(seconds, rule, began, stopwatch)
        if sampled and self._adjusts:
            trace.threshold = UNKNOWN if lowest == NEVER else lowest
        voters = dropped or sampled
        return voters[0] if voters else NOT_SAMPLED, [voter.policy or "" for voter in voters]

    def without_memory(self, trace: Trace) -> Verdict:
        """Return the verdict of the policies whose answers do not depend on other traces.

        Raises DecodeError at a malformed span.
        """
        if self._adjusts:
            read_incoming(trace)
        for rule in (*self._drops, *self._keeps):
            if not rule.evaluator.stateful:
                answer = self._answer(rule, trace)
                if answer is not Decision.NOT_SAMPLED:
                    return rule.dropped if answer is Decision.DROPPED else rule.sampled
        return NOT_SAMPLED

    def has_memory(self, policy: str) -> bool:
        """Tell whether the answers of the policy with this name depend on other traces."""
        return any(rule.evaluator.stateful and rule.sampled.policy == policy for rule in (*self._drops, *self._keeps))

    def explain(self, trace: Trace) -> TraceExplanation:
        """Return the verdict that `decide` returns, and what every policy says, each of them asked at the most once.

        Where `decide` does not ask a policy with a memory, it is not asked here either. Raises DecodeError at a malformed span.
        """
        if self._adjusts:
            read_incoming(trace)
        verdict = NOT_SAMPLED
        said: dict[str, Explanation] = {}
        for rule in (*self._drops, *self._keeps):
            name = rule.sampled.policy or ""
            is_behind = verdict is not NOT_SAMPLED and (verdict.decision is Decision.DROPPED or self._stops)
            if is_behind and rule.evaluator.stateful:
                said[name] = Explanation(None, f"because {verdict.policy} decided before")
                continue
            said[name] = answer = rule.evaluator.explain(trace)
            if verdict is NOT_SAMPLED and answer.decision is not Decision.NOT_SAMPLED:
                verdict = rule.dropped if answer.decision is Decision.DROPPED else rule.sampled
        for rule in self._shadows if verdict.decision is not Decision.DROPPED else ():
            said[rule.sampled.policy or ""] = rule.evaluator.explain(trace)
        policies = (
            PolicyExplanation(one.name, str(getattr(one, "type", "")), one.mode, said[one.name])
            for one in self._policies
            if one.name in said
        )
        return TraceExplanation(verdict, tuple(policies))

    def shadow_verdicts(self, trace: Trace) -> list[Verdict]:
        """Return what policies with `mode: shadow` would have decided, those that would not have kept or dropped it left out.

        For a trace that no drop policy has dropped: after that no policy would have been asked. Raises DecodeError at a
        malformed span.
        """
        verdicts = []
        for rule in self._shadows:
            decision = self._answer(rule, trace)
            if decision is not Decision.NOT_SAMPLED:
                verdicts.append(rule.sampled if decision is Decision.SAMPLED else rule.dropped)
        return verdicts

    def _ask_rest(self, behind: list[_Rule], steps: list[_Step], trace: Trace, *, roots_were_asked: bool) -> None:
        """Ask the rules behind the one that has sampled the trace, and count how they vote.

        Those with a memory are asked in any case. The others say no where the prefilter, or the roots' names, say so for them.
        """
        can_match = set[int]()
        if self.counts_votes:
            can_match = {id(step.rule) for step in steps if not (step.by_root and roots_were_asked)}
        for rule in behind:
            if rule.evaluator.stateful:
                self._vote(rule, trace)
            elif id(rule) in can_match:
                with suppress(DecodeError):  # the trace is sampled all the same
                    self._vote(rule, trace)

    def _vote(self, rule: _Rule, trace: Trace) -> None:
        if self._answer(rule, trace) is not Decision.NOT_SAMPLED:
            self.further_votes[rule.sampled.policy or ""] += 1

    def _has_no_answer(self, rule: _Rule, trace: Trace, error: EvaluationError) -> None:
        name = rule.sampled.policy or ""
        self.evaluation_errors[name] += 1
        # The Collector says it at debug level each time; once aloud is what a user needs.
        level = logging.DEBUG if name in self._told else logging.WARNING
        self._told.add(name)
        _log.log(level, "policy %s has no answer for trace %s: %s", name, trace.id.hex(), error)


def _rules(policies: list[Policy], clock: Clock) -> list[_Rule]:
    return [
        _Rule(labelled(policy, clock), Verdict(Decision.SAMPLED, policy.name), Verdict(Decision.DROPPED, policy.name))
        for policy in policies
    ]


def _clocked(seconds: dict[str, float] | None, rule: _Rule, began: float, stopwatch: Callable[[], float]) -> float:
    """Add what a policy has taken since `began` to `seconds`, and return the time now."""
    if seconds is None:
        return began
    now, name = stopwatch(), rule.sampled.policy or ""
    seconds[name] = seconds.get(name, 0.0) + now - began
    return now


def _may_drop_early(rule: _Rule) -> bool:
    return isinstance(rule.evaluator, Drop) and rule.evaluator.may_drop_early


def _needs_root(rule: _Rule) -> bool:
    return rule.evaluator.root_matches is not None
