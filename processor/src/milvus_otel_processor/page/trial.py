"""Other rules, tried on the requests of the last minutes: what would be kept that is not, and the other way round."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from functools import partial
from threading import Lock, Thread
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from milvus_otel_processor.replay.recording import Message, RecordingError
from milvus_otel_processor.replay.runner import Run
from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.sampling.policies.milvus_spans import COLLECTION
from milvus_otel_processor.sampling.rules import Rules
from milvus_otel_processor.spans.schema import DecodeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from milvus_otel_processor.components import StageSettings
    from milvus_otel_processor.enrichment.settings import MilvusSettings
    from milvus_otel_processor.page.recent import Request
    from milvus_otel_processor.sampling.decision import Verdict
    from milvus_otel_processor.sampling.policies import Clock
    from milvus_otel_processor.sampling.settings import TailSamplingSettings
    from milvus_otel_processor.service.assemble import Processors
    from milvus_otel_processor.spans.contract import Trace
    from milvus_otel_processor.spans.groups import Group
    from milvus_otel_processor.spans.wanted import Wanted
    from milvus_otel_processor.telemetry.counters import Snapshot

_log = logging.getLogger(__name__)

_MOST_SECONDS = 20.0
_TURN, _BREATH = 0.01, 0.0005
"""Seconds after which it lets the others go on, and for how long: decisions come first."""
_DROP = "drop"
_EXAMPLES = 3
_MOST_GROUPS = 50


class TrialError(Exception):
    """Nothing can be tried now; the message says why."""


class WithRules(NamedTuple):
    """The processors of the pipeline with other rules."""

    milvus: MilvusSettings | None
    stages: Sequence[StageSettings]
    tail_sampling: TailSamplingSettings | None


class Kept(NamedTuple):
    """A trace that was kept. What it is about is read where it is gained or lost: of most nobody asks."""

    policy: str
    trace: Trace

    @property
    def spans(self) -> int:
        """How many it has."""
        return len(self.trace)

    @property
    def root(self) -> str:
        """The name of its root."""
        try:
            roots = self.trace.roots
        except DecodeError:
            roots = self.trace.without_malformed().roots
        return roots[0].name.decode("utf-8", "replace") if roots else "(no root)"

    @property
    def collections(self) -> list[str]:
        """Those that its spans name."""
        if not self.trace.may_hold(COLLECTION):
            return []
        try:
            values = self.trace.span_values(COLLECTION)
        except DecodeError:
            values = self.trace.without_malformed().span_values(COLLECTION)
        return sorted({value.string_value.decode("utf-8", "replace") for value in values} - {""})


class CountingRules(Rules):
    """Counts what every policy says, and remembers which traces were kept.

    Where other rules are `tried` that gather traces alike, they are asked beside these, in the same run.
    """

    def __init__(
        self,
        settings: TailSamplingSettings | None,
        clock: Clock,
        evaluation_errors: Counter[str],
        tried: TailSamplingSettings | None = None,
    ) -> None:
        super().__init__(settings, clock, evaluation_errors)
        self.beside = CountingRules(tried, clock, Counter()) if tried is not None else None
        if self.beside is not None:
            self.reads = max(self.reads, self.beside.reads)
        self.votes: Counter[str] = Counter()
        self.only: Counter[str] = Counter()
        self.decided: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.seconds: dict[str, float] = defaultdict(float)
        self.kept: dict[bytes, Kept] = {}

    def decide(self, trace: Trace) -> Verdict:
        """Return the verdict over a trace. Raises DecodeError at a malformed span."""
        verdict = self.count(trace)
        other = self.beside.count(trace) if self.beside is not None else verdict
        # What either keeps is given what enrichment gives to kept traces, and is shown with that.
        return verdict if verdict.decision is Decision.SAMPLED else other

    def count(self, trace: Trace) -> Verdict:
        """Ask every policy about a trace, and return the verdict. Raises DecodeError at a malformed span."""
        assert self._sampler is not None
        verdict, voters = self._sampler.votes(trace, self.seconds)
        self.votes.update(voters)
        if len(voters) == 1:
            self.only[voters[0]] += 1
        if verdict.policy is not None:
            self.decided[verdict.policy] += 1
            self.dropped[verdict.policy] += verdict.decision is Decision.DROPPED
        if verdict.decision is Decision.SAMPLED:
            self.kept[trace.id] = Kept(verdict.policy or "", trace)
        return verdict

    def of_root(self, name: bytes, group: Group | None = None) -> Verdict | Literal["ask"] | None:
        """Return what a root span settles by its name; of the other rules too, which drop by the same."""
        answer = super().of_root(name, group)
        return answer if answer is not None or self.beside is None else self.beside.of_root(name, group)

    def drops(self) -> None:
        """Return None: what every policy says of a dropped trace is counted."""
        return

    def wants(self) -> list[Wanted] | None:
        """Return what a trace has to have for any rule to match, of either."""
        wanted = super().wants()
        others: list[Wanted] | None = self.beside.wants() if self.beside is not None else []
        return [*wanted, *others] if wanted is not None and others is not None else None


class Outcome(NamedTuple):
    """What one set of rules made of the requests."""

    rules: CountingRules
    settings: TailSamplingSettings
    traces: int
    """All that were decided, also those about which no policy was asked: no rule wants them, or their root's name drops them."""
    by_root: Counter[str]
    """Of them those that the name of their root has dropped at once, by the policy that does."""
    spans: int

    def as_dict(self) -> dict[str, Any]:
        """Return it for the API."""
        rules = self.rules
        return {
            "kept": {"traces": len(rules.kept), "spans": sum(one.spans for one in rules.kept.values())},
            "traces": self.traces,
            "policies": [
                {
                    "name": policy.name,
                    "votes": rules.votes[policy.name] + self.by_root[policy.name],
                    "decided": rules.decided[policy.name] + self.by_root[policy.name],
                    "only": rules.only[policy.name] + self.by_root[policy.name],
                    "milliseconds": round(rules.seconds.get(policy.name, 0.0) * 1e3, 2),
                }
                for policy in self.settings.policies
            ],
        }


def try_out(
    requests: Sequence[Request],
    processors: Processors,
    rules: TailSamplingSettings,
    tried: TailSamplingSettings,
    *,
    progress: Callable[[float], object] = lambda _: None,
    out_of_time: Callable[[], bool] = lambda: False,
) -> tuple[Outcome, Outcome]:
    """Return what each of two sets of rules makes of the requests, which come by the times at which they came in.

    Where they differ in their policies alone, both are asked of each trace in one run. `progress` is called with the share that
    is done. Raises TrialError where time is up.
    """
    first, second = (WithRules(processors.milvus, processors.stages, settings) for settings in (rules, tried))
    if tried == rules:
        outcome, _ = _run(requests, first, None, progress, out_of_time)
        return outcome, outcome
    if _gather_alike(rules, tried):
        return _run(requests, first, tried, progress, out_of_time)
    outcome, _ = _run(requests, first, None, lambda share: progress(share / 2), out_of_time)
    other, _ = _run(requests, second, None, lambda share: progress((1 + share) / 2), out_of_time)
    return outcome, other


def _gather_alike(rules: TailSamplingSettings, tried: TailSamplingSettings) -> bool:
    """Tell whether two sets of rules decide the same traces at the same times, and write nothing on them that the other reads."""
    if rules.sample_on_first_match or rules.adjusted_counts:
        return False
    first, second = (
        one.model_copy(update={"policies": [policy for policy in one.policies if policy.type == _DROP]})
        for one in (rules, tried)
    )
    return first == second


def _run(
    requests: Sequence[Request],
    processors: WithRules,
    tried: TailSamplingSettings | None,
    progress: Callable[[float], object],
    out_of_time: Callable[[], bool],
) -> tuple[Outcome, Outcome]:
    replayed = Run(processors, rules=partial(CountingRules, tried=tried))
    rules = replayed.rules
    assert isinstance(rules, CountingRules)
    for number, request in _breathing(requests):
        replayed.advance_to(request.time_ns)
        try:
            replayed.ingest(Message(request.content, 0, "", request.is_access_log))
        except RecordingError:  # it was taken in once
            _log.exception("a request that was taken in cannot be replayed")
        progress(number / len(requests))
        if out_of_time():
            raise TrialError(f"it took longer than {_MOST_SECONDS:.0f} s, and was given up")
    counted = replayed.finish().counted
    settings = processors.tail_sampling
    assert settings is not None
    figures = (sum(amount.traces for amount in counted.decisions.values()), _by_root(counted, rules))
    outcome = Outcome(rules, settings, *figures, counted.received_spans)
    other = outcome
    if rules.beside is not None and tried is not None:  # which drop by the same names
        other = Outcome(rules.beside, tried, *figures, counted.received_spans)
    return outcome, other


def _by_root(counted: Snapshot, rules: CountingRules) -> Counter[str]:
    """Return how many traces each policy has dropped by the name of their root: those dropped about which it was not asked."""
    dropped = {
        policy: amount.traces - rules.dropped[policy]
        for (decision, policy), amount in counted.decisions.items()
        if decision == Decision.DROPPED.value
    }
    return Counter(dropped)


def _breathing(requests: Sequence[Request]) -> Iterator[tuple[int, Request]]:
    """Yield the requests with their numbers, from 1; now and then let other threads go on."""
    end = monotonic() + _TURN
    for number, request in enumerate(requests, start=1):
        yield number, request
        if monotonic() >= end:
            sleep(_BREATH)
            end = monotonic() + _TURN


def compared(now: Outcome, tried: Outcome, seconds: float) -> dict[str, Any]:
    """Return what the second keeps and the first does not, and the other way round; `seconds` is how much time it was."""
    before, after = now.rules.kept, tried.rules.kept
    gained = [(trace_id, kept) for trace_id, kept in after.items() if trace_id not in before]
    lost = [(trace_id, kept) for trace_id, kept in before.items() if trace_id not in after]
    return {
        "spans": tried.spans,
        "seconds": round(seconds, 1),
        "now": now.as_dict(),
        "tried": tried.as_dict(),
        "gained": _grouped(gained),
        "lost": _grouped(lost),
        "words": _words(len(before), gained, lost, seconds),
    }


def _grouped(kept: Sequence[tuple[bytes, Kept]]) -> dict[str, Any]:
    by_policy = Counter(one.policy for _, one in kept)
    by_root = Counter(one.root for _, one in kept)
    by_collection = Counter(name for _, one in kept for name in one.collections)
    return {
        "traces": len(kept),
        "spans": sum(one.spans for _, one in kept),
        "by_policy": dict(by_policy.most_common(_MOST_GROUPS)),
        "by_root": dict(by_root.most_common(_MOST_GROUPS)),
        "by_collection": dict(by_collection.most_common(_MOST_GROUPS)),
        "examples": [trace_id.hex() for trace_id, _ in kept[:_EXAMPLES]],
    }


def _words(
    before: int, gained: Sequence[tuple[bytes, Kept]], lost: Sequence[tuple[bytes, Kept]], seconds: float
) -> str:
    if not gained and not lost:
        return "would keep the same traces"
    parts = []
    for sign, traces, by in (("+", gained, "by"), ("-", lost, "that were kept by")):
        if traces:
            policy, most = Counter(one.policy for _, one in traces).most_common(1)[0]
            parts.append(
                f"{sign}{_a_minute(len(traces), seconds)} traces/min, of which {_a_minute(most, seconds)} {by} {policy}"
            )
    change = len(gained) - len(lost)
    if not before or not change:
        head = "would keep as many, but others" if not change else "would keep traces where none was kept"
    else:
        head = f"would keep {abs(change) / before:.0%} {'more' if change > 0 else 'fewer'}"
    return f"{head}: {'; '.join(parts)}"


def _a_minute(traces: int, seconds: float) -> str:
    rate = traces * 60 / max(seconds, 1.0)
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"


class Trials:
    """One trial at a time, in a thread of its own; its result stays until the next."""

    def __init__(
        self, requests: Callable[[], Sequence[Request]], processors: Processors, room: Callable[[], int]
    ) -> None:
        self._requests = requests
        self._processors = processors
        self._room = room
        self._lock = Lock()
        self._number = 0
        self._state: dict[str, Any] = {"id": 0, "state": "none"}

    @property
    def state(self) -> dict[str, Any]:
        """The latest trial: its `id`, `state` (none, running, done, failed), `progress`, and `result` or `error`."""
        return self._state

    def start(self, rules: TailSamplingSettings, tried: TailSamplingSettings) -> dict[str, Any]:
        """Begin to compare two sets of rules, the same twice to see what its policies do. Raises TrialError."""
        with self._lock:
            if self._state["state"] == "running":
                raise TrialError("another trial is running, wait for its end")
            requests = self._requests()
            if not any(not request.is_access_log for request in requests):
                raise TrialError("no request with spans is remembered yet")
            size = sum(len(request.content) for request in requests)
            if size * 2 > self._room():
                raise TrialError("memory is short, try again when less is waiting")
            self._number += 1
            self._state = begun = {"id": self._number, "state": "running", "progress": 0.0}
        Thread(target=self._run, args=[self._number, requests, rules, tried], name="trial", daemon=True).start()
        return begun

    def _run(
        self, number: int, requests: Sequence[Request], rules: TailSamplingSettings, tried: TailSamplingSettings
    ) -> None:
        began = monotonic()

        def progress(share: float) -> None:
            self._state = {"id": number, "state": "running", "progress": round(share, 3)}

        try:
            outcomes = try_out(
                requests,
                self._processors,
                rules,
                tried,
                progress=progress,
                out_of_time=lambda: monotonic() - began > _MOST_SECONDS,
            )
            seconds = (requests[-1].time_ns - requests[0].time_ns) / 1e9
            result = compared(*outcomes, seconds) | {"took_seconds": round(monotonic() - began, 3)}
            self._state = {"id": number, "state": "done", "progress": 1.0, "result": result}
        except TrialError as error:
            self._state = {"id": number, "state": "failed", "error": str(error)}
        except Exception as error:  # noqa: BLE001 - a fault here is no other's
            _log.exception("a trial of rules failed")
            self._state = {"id": number, "state": "failed", "error": f"{type(error).__name__}: {error}"}
