"""What the API answers, one function for each path; `ENDPOINTS` is the table of them. A new one is a function and a line there."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from milvus_otel_processor.doctor.inside import findings
from milvus_otel_processor.page.all_requests import QUERY, all_requests
from milvus_otel_processor.page.asked import ApiError
from milvus_otel_processor.page.listing import Listing, Wanted
from milvus_otel_processor.page.now import now
from milvus_otel_processor.page.rules_text import looked_at, rules_text, why_not_writable, write
from milvus_otel_processor.page.trial import TrialError, Trials
from milvus_otel_processor.page.why import why
from milvus_otel_processor.spans.schema import DecodeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from milvus_otel_processor.page.asked import Asked
    from milvus_otel_processor.page.inside import Inside
    from milvus_otel_processor.sampling.settings import TailSamplingSettings

_TRACE_ID = re.compile(r"[0-9a-fA-F]{32}")
_DECISIONS = ("sampled", "not_sampled", "dropped")
_OF_DECISIONS = ("decision", "policy", "collection", "root", "min_ms", "max_ms", "status", "limit")


class Answers:
    """The functions that answer, with what they keep between requests. Called by one thread."""

    def __init__(self, inside: Inside, room: Callable[[], int]) -> None:
        self.inside = inside
        self._listing = Listing(inside.witness.decided)
        self._trials = Trials(inside.witness.recent.all, inside.processors, room)

    def about(self, _: Asked) -> dict[str, Any]:
        """Say what there is to ask for."""
        return {
            "version": 1,
            "facts": self.inside.facts,
            "endpoints": [f"{one.method} {PREFIX}{one.path}" for one in (*ENDPOINTS, *STREAMS)],
        }

    def now(self, _: Asked) -> dict[str, Any]:
        """See `page.now`."""
        return now(self.inside)

    def requests(self, asked: Asked) -> dict[str, Any]:
        """See `page.all_requests`; `counted` tells whether requests are counted at all."""
        witness, jaeger = self.inside.witness, self.inside.settings.jaeger.rstrip("/")
        answer = {"counted": witness.requests.watches, **all_requests(asked, witness.requests)}
        return {**answer, "jaeger": jaeger} if jaeger else answer

    def decisions(self, asked: Asked) -> dict[str, Any]:
        """Return the latest decisions that are asked for."""
        wanted = Wanted(
            decision=asked.one_of("decision", _DECISIONS),
            policy=asked.text("policy"),
            collection=asked.text("collection"),
            root=asked.text("root"),
            min_ms=asked.number("min_ms", 0.0),
            max_ms=asked.number("max_ms", float("inf")),
            status=asked.one_of("status", ("error", "ok")),
            limit=int(asked.number("limit", 100, 1, 500)),
        )
        return self._listing.rows(wanted)

    def trace(self, asked: Asked) -> dict[str, Any]:
        """Return one decided trace, with why it was decided so."""
        trace_id = asked.path["trace_id"]
        if not _TRACE_ID.fullmatch(trace_id):
            raise ApiError(400, f"{trace_id[:60]!r} is not a trace id, expected 32 hexadecimal digits")
        found = self.inside.witness.decided.find(bytes.fromhex(trace_id))
        if found is None:
            raise ApiError(
                404,
                f"no decision over trace {trace_id.lower()} is remembered: it is too old (decided_traces_mib), it waits still, "
                "it is one of those that are not remembered (of dropped ones one in sixteen is, of the others all, up to about 50 "
                "a second), or it never came. What `milvus-otel capture` records, `milvus-otel explain ID FILE` explains",
            )
        try:
            answer = why(found)
        except DecodeError as error:
            raise ApiError(422, f"trace {trace_id.lower()} cannot be read: {error}") from None
        jaeger = self.inside.settings.jaeger.rstrip("/")
        if jaeger and answer["decision"] == "sampled":
            answer["jaeger"] = f"{jaeger}/trace/{answer['trace_id']}"
        return answer

    def rules(self, _: Asked) -> dict[str, Any]:
        """Return the rules in force, and what they have decided since the start."""
        inside = self.inside
        rules = inside.witness.decided.rules
        counted = inside.snapshot()
        policies = []
        for policy in rules.settings.policies if rules.settings is not None else ():
            amounts = [amount for (_, name), amount in counted.decisions.items() if name == policy.name]
            policies.append(
                {
                    "name": policy.name,
                    "type": str(getattr(policy, "type", "")),
                    "mode": policy.mode,
                    "decided_traces": sum(amount.traces for amount in amounts),
                    "decided_spans": sum(amount.spans for amount in amounts),
                }
            )
        text = rules_text(inside.config_file)
        reason = self._why_not_applicable()
        return {
            "since": rules.since,
            "file": str(inside.rules_file or inside.config_file or "built-in"),
            "text": text,
            "hash": _hash(text),
            "decision_wait": rules.settings.decision_wait if rules.settings is not None else 0.0,
            "policies": policies,
            "can_apply": reason is None,
            "why_not_apply": reason,
        }

    def validate(self, asked: Asked) -> dict[str, Any]:
        """Say what is wrong with the rules in the body, and how they differ from those in force."""
        return looked_at(asked.yaml(), rules_text(self.inside.config_file), self.inside.processors.milvus)[1]

    def measure(self, _: Asked) -> dict[str, Any]:
        """Begin to see what each policy in force says of the recent traffic."""
        rules = self._in_force()
        return self._started(rules, rules)

    def attempt(self, asked: Asked) -> dict[str, Any]:
        """Begin to try the rules in the body on the recent traffic."""
        settings, found = looked_at(asked.yaml(), rules_text(self.inside.config_file), self.inside.processors.milvus)
        if settings is None:
            return {**found, "state": "invalid"}
        return {**found, **self._started(self._in_force(), settings)}

    def trial(self, _: Asked) -> dict[str, Any]:
        """Return the latest trial."""
        return self._trials.state

    def apply(self, asked: Asked) -> dict[str, Any]:
        """Write the rules in the body to their file, which the processor follows."""
        reason = self._why_not_applicable()
        if reason is not None:
            raise ApiError(403, f"the rules cannot be written from here: {reason}")
        text, before = asked.yaml(), rules_text(self.inside.config_file)
        settings, found = looked_at(text, before, self.inside.processors.milvus)
        if settings is None:
            return {**found, "applied": False}
        if asked.text("hash") != _hash(before):
            raise ApiError(409, "the file has changed since it was read here: read it again, and say its hash")
        file = self.inside.rules_file
        assert file is not None
        try:
            write(file, text)
        except OSError as error:
            raise ApiError(500, f"{file} cannot be written: {error.strerror}") from None
        return {**found, "applied": True, "file": str(file)}

    def doctor(self, _: Asked) -> dict[str, Any]:
        """Return what can be told from inside of why traces are missing or not joined."""
        inside = self.inside
        decided, counted = inside.witness.decided, inside.snapshot()
        silence = inside.witness.series.silence()
        found = findings(counted, list(decided.latest_first()), decided.rules.settings, silence, inside.peers)
        return {"findings": [one.as_dict() for one in found], "exported_spans": counted.exported_spans}

    def _why_not_applicable(self) -> str | None:
        inside = self.inside
        return why_not_writable(inside.rules_file, inside.config_file, allowed=inside.settings.apply_rules)

    def _in_force(self) -> TailSamplingSettings:
        rules = self.inside.witness.decided.rules.settings
        if rules is None:
            raise ApiError(409, "the pipeline has no tail_sampling processor, so that every trace is kept")
        return rules

    def _started(self, rules: TailSamplingSettings, tried: TailSamplingSettings) -> dict[str, Any]:
        try:
            return self._trials.start(rules, tried)
        except TrialError as error:
            raise ApiError(409, str(error)) from None


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


PREFIX = "/api/v1"


class Endpoint(NamedTuple):
    """One path of the API."""

    method: str
    path: str
    answer: Callable[[Answers, Asked], dict[str, Any]]
    query: tuple[str, ...] = ()
    """The parameters that are known; others are refused."""
    waits: bool = False
    """Whether it may take seconds in which it waits for other programs."""


ENDPOINTS = (
    Endpoint("GET", "", Answers.about),
    Endpoint("GET", "/now", Answers.now),
    Endpoint("GET", "/requests", Answers.requests, QUERY),
    Endpoint("GET", "/decisions", Answers.decisions, _OF_DECISIONS),
    Endpoint("GET", "/traces/{trace_id}", Answers.trace),
    Endpoint("GET", "/rules", Answers.rules),
    Endpoint("POST", "/validate", Answers.validate),
    Endpoint("POST", "/measure", Answers.measure),
    Endpoint("POST", "/try", Answers.attempt),
    Endpoint("GET", "/try", Answers.trial),
    Endpoint("POST", "/apply", Answers.apply, ("hash",)),
    Endpoint("GET", "/doctor", Answers.doctor, waits=True),
)
"""All that answers with JSON."""


class Stream(NamedTuple):
    """One path of the API that answers with what comes in, as it comes; see `page.capture`."""

    method: str
    path: str
    access_log: bool
    query: tuple[str, ...] = ("seconds", "mib", "past")


STREAMS = (
    Stream("POST", "/capture/traces", access_log=False),
    Stream("POST", "/capture/access-log", access_log=True),
)
