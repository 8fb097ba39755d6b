"""Rules replaced in a running pipeline: what waits stays, and is decided by the new ones."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from milvus_otel_processor.sampling.policies import Clock
from milvus_otel_processor.sampling.settings import TailSamplingSettings
from milvus_otel_processor.service.assemble import assemble
from milvus_otel_processor.telemetry.counters import Amount, Telemetry

from tests.support.harness import ERRORS, drop_roots
from tests.support.policies import entry
from tests.unit.replay.recordings import request, span

if TYPE_CHECKING:
    from milvus_otel_processor.components import StageSettings
    from milvus_otel_processor.enrichment.settings import MilvusSettings
    from milvus_otel_processor.spans.contract import Trace

ALL = {"name": "all", "type": "always_sample"}
NO_HEARTBEATS = drop_roots("heartbeat", name="no-heartbeats")


def rules(*policies: dict[str, Any], **settings: Any) -> TailSamplingSettings:
    return TailSamplingSettings.model_validate({"decision_wait": "10s", "policies": [*policies], **settings})


class Running:
    """A pipeline whose clock is turned by hand."""

    milvus: MilvusSettings | None = None
    stages: tuple[StageSettings, ...] = ()

    def __init__(self, tail_sampling: TailSamplingSettings) -> None:
        self.tail_sampling: TailSamplingSettings | None = tail_sampling
        self.now = 0.0
        self.telemetry = Telemetry()
        self.kept: list[bytes] = []
        clock = Clock(lambda: self.now, lambda: int(self.now * 1e9))
        self.assembled = assemble(self, exporter=self, telemetry=self.telemetry, clock=clock)
        self.pipeline, self.store, *_ = self.assembled

    def replace(self, tail_sampling: TailSamplingSettings) -> None:
        self.assembled.replace_rules(tail_sampling)

    def put(self, trace: Trace) -> None:
        self.kept += trace.spans

    def ingest(self, *traces: int, **fields: Any) -> None:
        self.pipeline.ingest(request(*(span(trace, **fields) for trace in traces)))

    def at(self, now: float) -> dict[tuple[str, str], Amount]:
        self.now = now
        self.pipeline.tick()
        return self.telemetry.snapshot().decisions


def test_traces_that_wait_are_decided_by_the_new_rules() -> None:
    running = Running(rules(ERRORS))
    running.ingest(1, 2)
    running.replace(rules(ALL))
    assert running.telemetry.snapshot().waiting_spans == 2
    assert running.at(11) == {("sampled", "all"): Amount(2, 2)}
    assert len(running.kept) == 2


def test_late_spans_go_on_to_follow_the_decision_of_the_old_rules() -> None:
    running = Running(rules(ERRORS))
    running.ingest(1)
    running.at(11)
    running.replace(rules(ALL))
    running.ingest(1)
    assert running.telemetry.snapshot().late_spans == {"not_sampled": 1}
    assert running.kept == []


def test_what_policies_had_no_answer_for_goes_on_being_counted_and_is_said_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    no_answer = entry("ottl_condition", {"span": ['attributes["none"] + 1 == 2'], "error_mode": "propagate"}, "sums")
    running = Running(rules(no_answer))
    running.ingest(1, 2)
    running.at(11)
    running.replace(rules(no_answer))
    running.ingest(3)
    running.at(22)
    assert running.telemetry.snapshot().evaluation_errors == {"sums": 3}
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert [text.partition(" for trace")[0] for text in said] == ["policy sums has no answer"] * 2


def test_a_policy_that_keeps_its_name_goes_on_being_counted() -> None:
    running = Running(rules(ERRORS))
    running.ingest(1, error=True)
    running.at(11)
    running.replace(rules(ALL, ERRORS))
    running.replace(rules(ERRORS))
    running.ingest(2, error=True)
    assert running.at(22) == {("sampled", "errors"): Amount(2, 2)}


def test_a_drop_rule_that_comes_settles_roots_at_once_and_one_that_goes_does_not() -> None:
    running = Running(rules(ALL))
    running.replace(rules(NO_HEARTBEATS, ALL))
    running.ingest(1, name="heartbeat")
    assert running.telemetry.snapshot().decisions == {("dropped", "no-heartbeats"): Amount(1, 1)}
    running.replace(rules(ALL))
    running.ingest(2, name="heartbeat")
    assert running.telemetry.snapshot().waiting_spans == 1


def test_a_root_that_came_before_a_drop_rule_is_dropped_by_it_all_the_same() -> None:
    running = Running(rules(ALL))
    running.ingest(1, name="heartbeat")
    running.replace(rules(NO_HEARTBEATS, ALL))
    running.ingest(2)
    assert running.at(11) == {("dropped", "no-heartbeats"): Amount(1, 1), ("sampled", "all"): Amount(1, 1)}


def test_a_shorter_wait_holds_for_what_waits() -> None:
    running = Running(rules(ALL, decision_wait="1h"))
    running.ingest(1)
    running.now = 5.0
    running.replace(rules(ALL, decision_wait="2s"))
    running.ingest(2)
    assert running.at(6.9) == {}
    assert running.at(7.1)[("sampled", "all")].traces >= 1
    assert running.at(7.1 + running.store.tick) == {("sampled", "all"): Amount(2, 2)}


def test_a_longer_wait_holds_for_what_comes() -> None:
    running = Running(rules(ALL, decision_wait="2s"))
    running.ingest(1)
    running.replace(rules(ALL, decision_wait="1h"))
    running.ingest(2)
    assert running.at(3) == {("sampled", "all"): Amount(1, 1)}
    assert running.at(3601) == {("sampled", "all"): Amount(2, 2)}


def test_a_wait_after_the_root_that_comes_holds_for_roots_to_come() -> None:
    running = Running(rules(ALL))
    running.replace(rules(ALL, decision_wait_after_root_received="1s"))
    running.ingest(1)
    assert running.at(1.1) == {("sampled", "all"): Amount(1, 1)}


def test_fewer_traces_may_wait_from_the_next_request_on() -> None:
    running = Running(rules(ALL))
    running.ingest(1, 2, 3, 4)
    running.replace(rules(ALL, num_traces=2))
    running.ingest(5)
    assert running.telemetry.snapshot().early_decisions == {"num_traces": 3}
    assert running.telemetry.snapshot().waiting_traces == 2


def test_the_decision_caches_take_their_new_sizes() -> None:
    running = Running(rules(ERRORS))
    running.ingest(1, 2, 3)
    running.at(11)
    running.replace(rules(ERRORS, decision_cache={"non_sampled_cache_size": 1}))
    running.ingest(1, 2, 3)
    assert running.telemetry.snapshot().late_spans == {"not_sampled": 1}  # of the newest
    assert running.telemetry.snapshot().waiting_traces == 2
