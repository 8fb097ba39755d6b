"""Other rules, tried on the requests of the last minutes: what would be kept that is not, and the other way round."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from threading import Lock, Thread
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, NamedTuple

from milvus_otel_processor.replay.recording import Message, RecordingError
from milvus_otel_processor.replay.runner import Run
from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.sampling.policies.milvus_spans import COLLECTION
from milvus_otel_processor.sampling.rules import Rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from milvus_otel_processor.components import StageSettings
    from milvus_otel_processor.enrichment.settings import MilvusSettings
    from milvus_otel_processor.page.recent import Request
    from milvus_otel_processor.sampling.decision import Verdict
    from milvus_otel_processor.sampling.policies import Clock
    from milvus_otel_processor.sampling.settings import TailSamplingSettings
    from milvus_otel_processor.service.assemble import Processors
    from milvus_otel_processor.spans.contract import Trace

_log = logging.getLogger(__name__)

_MOST_SECONDS = 20.0
_BREATH = 0.0005
"""Seconds for which it lets the others go on after each request: decisions come first."""
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
    """A trace that was kept."""

    policy: str
    spans: int
    root: str
    collections: tuple[str, ...]


class CountingRules(Rules):
    """Counts what every policy says, and remembers which traces were kept."""

    def __init__(self, settings: TailSamplingSettings | None, clock: Clock, evaluation_errors: Counter[str]) -> None:
        super().__init__(settings, clock, evaluation_errors)
        self.traces = 0
        self.votes: Counter[str] = Counter()
        self.only: Counter[str] = Counter()
        self.decided: Counter[str] = Counter()
        self.seconds: dict[str, float] = defaultdict(float)
        self.kept: dict[bytes, Kept] = {}

    def decide(self, trace: Trace) -> Verdict:
        """Return the verdict over a trace. Raises DecodeError at a malformed span."""
        assert self._sampler is not None
        verdict, voters = self._sampler.votes(trace, self.seconds)
        self.traces += 1
        self.votes.update(voters)
        if len(voters) == 1:
            self.only[voters[0]] += 1
        if verdict.policy is not None:
            self.decided[verdict.policy] += 1
        if verdict.decision is Decision.SAMPLED:
            roots = trace.roots
            root = roots[0].name.decode("utf-8", "replace") if roots else "(no root)"
            values = trace.span_values(COLLECTION) if trace.may_hold(COLLECTION) else ()
            collections = {value.string_value.decode("utf-8", "replace") for value in values} - {""}
            self.kept[trace.id] = Kept(verdict.policy or "", len(trace), root, tuple(sorted(collections)))
        return verdict


class Outcome(NamedTuple):
    """What one set of rules made of the requests."""

    rules: CountingRules
    settings: TailSamplingSettings
    settled: int
    """Traces that the name of their root has dropped at once."""
    spans: int

    def as_dict(self) -> dict[str, Any]:
        """Return it for the API."""
        rules = self.rules
        return {
            "kept": {"traces": len(rules.kept), "spans": sum(one.spans for one in rules.kept.values())},
            "traces": rules.traces + self.settled,
            "policies": [
                {
                    "name": policy.name,
                    "votes": rules.votes[policy.name],
                    "decided": rules.decided[policy.name],
                    "only": rules.only[policy.name],
                    "milliseconds": round(rules.seconds.get(policy.name, 0.0) * 1e3, 2),
                }
                for policy in self.settings.policies
            ],
        }


def run(
    requests: Sequence[Request],
    processors: Processors,
    settings: TailSamplingSettings,
    progress: Callable[[int], object] = lambda _: None,
    out_of_time: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Run the requests through the pipeline with these rules, by the times at which they came in.

    `progress` is called with the number of requests so far. Raises TrialError where time is up.
    """
    replayed = Run(WithRules(processors.milvus, processors.stages, settings), rules=CountingRules)
    for number, request in enumerate(requests):
        replayed.advance_to(request.time_ns)
        try:
            replayed.ingest(Message(request.content, 0, "", request.is_access_log))
        except RecordingError:  # it was taken in once
            _log.exception("a request that was taken in cannot be replayed")
        progress(number + 1)
        if out_of_time():
            raise TrialError(f"it took longer than {_MOST_SECONDS:.0f} s, and was given up")
        sleep(_BREATH)
    counted = replayed.finish().counted
    assert isinstance(replayed.rules, CountingRules)
    traces = sum(amount.traces for amount in counted.decisions.values())
    return Outcome(replayed.rules, settings, max(0, traces - replayed.rules.traces), counted.received_spans)


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
            self._state = {"id": self._number, "state": "running", "progress": 0.0}
        Thread(target=self._run, args=[self._number, requests, rules, tried], name="trial", daemon=True).start()
        return self._state

    def _run(
        self, number: int, requests: Sequence[Request], rules: TailSamplingSettings, tried: TailSamplingSettings
    ) -> None:
        began = monotonic()
        sets: Iterable[TailSamplingSettings] = [rules] if tried == rules else [rules, tried]
        total = len(requests) * len(list(sets))
        done = 0

        def progress(count: int) -> None:
            self._state = {"id": number, "state": "running", "progress": round((done + count) / total, 3)}

        try:
            outcomes = []
            for settings in sets:
                out_of_time = lambda: monotonic() - began > _MOST_SECONDS  # noqa: E731
                outcomes.append(run(requests, self._processors, settings, progress, out_of_time))
                done += len(requests)
            seconds = (requests[-1].time_ns - requests[0].time_ns) / 1e9
            result = compared(outcomes[0], outcomes[-1], seconds) | {"took_seconds": round(monotonic() - began, 3)}
            self._state = {"id": number, "state": "done", "progress": 1.0, "result": result}
        except TrialError as error:
            self._state = {"id": number, "state": "failed", "error": str(error)}
        except Exception as error:  # noqa: BLE001 - a fault here is no other's
            _log.exception("a trial of rules failed")
            self._state = {"id": number, "state": "failed", "error": f"{type(error).__name__}: {error}"}
