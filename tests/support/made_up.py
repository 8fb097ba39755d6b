"""Calls that nobody made, with the truth beside them: what Milvus' spans and its access log would show of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from milvus_otel_processor.spans.groups import join_traces

from tests.support.enrichment import MILLISECOND, Bench, attributes, decoded, line, served, span, trace_of

if TYPE_CHECKING:
    from milvus_otel_processor.spans.contract import Trace

MICROSECOND = 1_000
METHODS = ("Search", "Search", "Search", "Query", "Insert")
MESSAGE = "collection not found[database=default][collection=missing]"
COLLECTIONS = ("products", "orders", "articles", "users", "missing")


@dataclass
class Made:
    """One call: what its span and its line show, and which collection it was about. Times count from the tests' START."""

    number: int
    method: str
    peer: int
    start: int
    duration: int
    line_end: int
    cost: int
    collection: str

    @property
    def failed(self) -> bool:
        return self.collection == "missing"

    def trace(self) -> Trace:
        """Its trace: Milvus' span of the call, and of the work for it."""
        trace_id = self.number.to_bytes(16, "big")
        own = served(
            self.number,
            self.method,
            start=self.start,
            cost=self.duration,
            trace_id=trace_id,
            net__sock__peer__addr="10.0.0.7",
            net__sock__peer__port=self.peer,
        )
        task = span(
            self.number + 1_000_000, f"{self.method}Task", parent=self.number, start=self.start, trace_id=trace_id
        )
        if self.failed:  # as Milvus' own spans of failed requests have it
            event = task.events.add(name="exception")
            event.attributes.add(key="exception.message").value.string_value = MESSAGE
        return trace_of(own, task)

    def line(self) -> str:
        """Its line, without a trace id."""
        failure = {"status": "Failed", "code": "100", "message": MESSAGE} if self.failed else {}
        return line(
            self.method,
            self.collection,
            end=self.line_end,
            cost=f"{self.cost / MILLISECOND}ms",
            trace_id="",
            peer=f"tcp-10.0.0.7:{self.peer}",
            **failure,
        )


@dataclass
class Answers:
    """What enrichment said."""

    asked: int = 0
    named: int = 0
    wrong: list[tuple[Made, str]] = field(default_factory=list)
    marked_wrongly: int = 0


def calls(random: Random, *, peers: int, at_once: int, seconds: float, first: int = 1) -> list[Made]:
    """Calls of so many connections, about so many of each at any moment, with times as Milvus measures them."""
    made: list[Made] = []
    for peer in range(peers):
        for _ in range(at_once):
            at = random.uniform(0, 20 * MILLISECOND)
            while at < seconds * 1000 * MILLISECOND:
                cost = int(min(random.lognormvariate(1.0, 0.6), 80) * MILLISECOND)
                before = int(random.lognormvariate(2.7, 0.4) * MICROSECOND)
                after = int(
                    (random.lognormvariate(3.7, 0.5) + random.choice([0] * 99 + [random.uniform(0, 3000)]))
                    * MICROSECOND
                )
                start = int(at)
                made.append(
                    Made(
                        first + len(made),
                        random.choice(METHODS),
                        5000 + peer,
                        start,
                        before + cost + after,
                        start + before + cost,
                        cost,
                        random.choice(COLLECTIONS),
                    )
                )
                at += before + cost + after + random.expovariate(1 / (3 * MILLISECOND))
    return made


def ask(bench: Bench, spans: list[Made], lines: list[str]) -> Answers:
    """Let all lines and spans come, then enrich each trace; compare what was said with the truth."""
    bench.log(*lines)
    traces = [one.trace() for one in spans]
    for place in range(0, len(traces), 50):
        bench.enrichment.on_request(join_traces(traces[place : place + 50]))
    answers = Answers(len(spans))
    for one, trace in zip(spans, traces, strict=True):
        bench.enrich(trace)
        own = next(iter(decoded(trace).values()))
        name = attributes(own).get("db.collection.name")
        answers.named += name is not None
        if name not in (None, one.collection):
            answers.wrong.append((one, name))
        answers.marked_wrongly += "error.type" in attributes(own) and not one.failed
    return answers
