"""Real Milvus traffic through a running processor into a receiving server."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import NamedTuple

import grpc
import pytest
from milvus_otel_processor.config import load_config
from milvus_otel_processor.enrichment.settings import MilvusSettings
from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.sampling.policies.always_sample import AlwaysSample
from milvus_otel_processor.sampling.settings import TailSamplingSettings
from milvus_otel_processor.spans.contract import Trace
from milvus_otel_processor.spans.groups import GroupRegistry, join
from milvus_otel_processor.telemetry.counters import Snapshot
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans

from tests.peers.otlp_sink import otlp_sink
from tests.peers.waiting import wait_until
from tests.support.harness import assert_accounted, sampling
from tests.support.processor import Configuration, Running, exporter_settings, receiver_settings, running_processor
from tests.support.recordings import MIXES, Recording
from tests.support.spans import attributes_of, encoded, span
from tests.support.wire import fields, grouped_spans, spans_of

LONG = 3600.0
SPAN_ATTRIBUTES = 9
Grouped = tuple[bytes, bytes, bytes]


class Outcome(NamedTuple):
    """What came out, with the two envelopes around each span, and what was counted."""

    spans: list[Grouped]
    counted: Snapshot

    def policies(self) -> dict[bytes, str]:
        """The policy that each kept trace was kept by."""
        found: dict[bytes, str] = {}
        for _, _, kept in self.spans:
            policy = str(attributes_of(kept)["tailsampling.policy"])
            assert found.setdefault(kept[2:18], policy) == policy
        return found


def default_rules(decision_wait: float) -> TailSamplingSettings:
    rules = load_config(None, environ={}).config.tail_sampling
    assert rules is not None
    return rules.model_copy(update={"decision_wait": decision_wait})


def run(
    requests: Sequence[bytes], rules: TailSamplingSettings, *, senders: int = 1, decides_half_way: bool = False
) -> Outcome:
    with otlp_sink() as sink:
        configuration = Configuration(
            receiver_settings(), exporter_settings(sink.endpoint), rules, MilvusSettings(uri="http://127.0.0.1:1")
        )
        with running_processor(configuration) as running:
            half = len(requests) // 2
            with ThreadPoolExecutor(senders) as threads:
                answers = list(threads.map(running.send, requests[:half]))
                if decides_half_way:
                    wait_until(lambda: not running.service.telemetry.snapshot().waiting_spans, "all decisions")
                answers += threads.map(running.send, requests[half:])
            assert not any(answer.HasField("partial_success") for answer in answers)
            running.stop()
            counted = running.service.telemetry.snapshot()
        return Outcome([one for request in sink.received() for one in grouped_spans(request.raw)], counted)


def shuffled_requests(recording: Recording, seed: int, size: int = 64) -> list[bytes]:
    """All recorded spans in an order of chance, cut into new requests."""
    registry = GroupRegistry()
    pairs = [
        (group, one) for request in recording.requests for group, spans in registry.split(request) for one in spans
    ]
    Random(seed).shuffle(pairs)
    return [join(pairs[start : start + size]) for start in range(0, len(pairs), size)]


@pytest.fixture(scope="module", params=MIXES, ids=str)
def recording(request: pytest.FixtureRequest) -> Recording:
    """What each version of Milvus sent."""
    found: Recording = request.param
    return found


@pytest.fixture(scope="module")
def whole(recording: Recording) -> Outcome:
    """The recording as it came, every trace decided when it was complete."""
    return run(recording.requests, default_rules(LONG))


def test_every_span_is_accounted_for(recording: Recording, whole: Outcome) -> None:
    counted = whole.counted
    assert counted.received_spans == recording.spans
    assert (
        sum(amount.spans for amount in counted.decisions.values()) + sum(counted.late_spans.values()) == recording.spans
    )
    assert sum(amount.traces for amount in counted.decisions.values()) == recording.traces
    assert (counted.waiting_traces, counted.waiting_spans, counted.waiting_bytes) == (0, 0, 0)
    assert (counted.refused_spans, counted.lost_spans, counted.queued_spans) == ({}, {}, 0)
    assert counted.exported_spans == len(whole.spans)
    assert_accounted(counted)


def test_heartbeats_are_dropped_and_some_traces_are_kept(recording: Recording, whole: Outcome) -> None:
    dropped = sum(amount.traces for (decision, _), amount in whole.counted.decisions.items() if decision == "dropped")
    assert dropped > 0.6 * recording.traces
    assert len(whole.policies()) > 2


def test_a_kept_span_is_as_it_came_but_for_attributes_behind_it(recording: Recording, whole: Outcome) -> None:
    came = Counter(one for request in recording.requests for one in spans_of(request))
    by_ids = {one[:28]: one for one in came}
    assert len(by_ids) == recording.spans
    for _, _, kept in whole.spans:
        original = by_ids.pop(kept[:28])
        assert kept.startswith(original)
        assert {number for number, _, _ in fields(kept[len(original) :])} == {SPAN_ATTRIBUTES}


def test_a_kept_span_has_its_own_resource_and_scope(recording: Recording, whole: Outcome) -> None:
    came = {one[:28]: envelopes for request in recording.requests for *envelopes, one in grouped_spans(request)}
    for resource, scope, kept in whole.spans:
        original_resource, original_scope = came[kept[:28]]
        assert ResourceSpans.FromString(resource) == ResourceSpans.FromString(original_resource)
        assert ScopeSpans.FromString(scope) == ScopeSpans.FromString(original_scope)


def test_a_kept_trace_is_kept_whole(recording: Recording, whole: Outcome) -> None:
    came = Counter(one[2:18] for request in recording.requests for one in spans_of(request))
    assert all(count == came[trace_id] for trace_id, count in Counter(kept[2:18] for _, _, kept in whole.spans).items())


def test_in_an_order_of_chance_from_many_senders_the_decisions_are_the_same(
    recording: Recording, whole: Outcome
) -> None:
    shuffled = run(shuffled_requests(recording, 1), default_rules(LONG), senders=4)
    assert shuffled.policies() == whole.policies()
    assert sorted(kept for _, _, kept in shuffled.spans) == sorted(kept for _, _, kept in whole.spans)
    assert traces_by_decision(shuffled) == traces_by_decision(whole)
    assert_accounted(shuffled.counted)


def traces_by_decision(outcome: Outcome) -> dict[tuple[str, str], int]:
    return {key: amount.traces for key, amount in outcome.counted.decisions.items()}


def test_while_the_clock_decides_and_spans_come_late_all_are_accounted_for(recording: Recording) -> None:
    outcome = run(
        shuffled_requests(recording, 3, size=16), sampling(decision_wait=0.02), senders=4, decides_half_way=True
    )
    assert len(outcome.spans) == recording.spans
    assert outcome.counted.late_spans["sampled"] > 0
    assert_accounted(outcome.counted)


class TestBounds:
    """Memory stays bounded, whatever is slow."""

    NUM_TRACES, PER_REQUEST, REQUESTS, SENDERS = 40, 10, 60, 4

    def test_slow_decisions_slow_down_the_input(self, monkeypatch: pytest.MonkeyPatch) -> None:
        waiting: list[int] = []
        running: Running | None = None

        def slow(_: AlwaysSample, trace: Trace) -> Decision:
            assert running is not None
            waiting.append(len(running.service._store))
            for _again in range(20):
                trace.without_malformed()
            return Decision.SAMPLED

        monkeypatch.setattr(AlwaysSample, "evaluate", slow)
        with otlp_sink() as sink:
            rules = sampling(decision_wait=LONG, num_traces=self.NUM_TRACES)
            with running_processor(
                Configuration(receiver_settings(), exporter_settings(sink.endpoint), rules)
            ) as running:
                with ThreadPoolExecutor(self.SENDERS) as threads:
                    list(threads.map(running.send, self._requests()))
                counted = running.service.telemetry.snapshot()
                running.stop()
            assert len(sink.spans()) == self.REQUESTS * self.PER_REQUEST
        assert counted.waiting_traces == self.NUM_TRACES
        assert max(waiting) <= self.NUM_TRACES + self.PER_REQUEST
        assert counted.early_decisions == {"num_traces": self.REQUESTS * self.PER_REQUEST - self.NUM_TRACES}

    def test_a_peer_that_takes_nothing_makes_decisions_wait_and_nothing_is_lost(self) -> None:
        with otlp_sink() as sink:
            sink.fail_with(grpc.StatusCode.UNAVAILABLE)
            queue = {"queue_size": 100, "batch": {"flush_timeout": 0.01}}
            retry = {"initial_interval": 0.05, "max_interval": 0.1}
            exporter = exporter_settings(sink.endpoint, sending_queue=queue, retry_on_failure=retry)
            rules = sampling(decision_wait=0.01, num_traces=self.NUM_TRACES)
            with running_processor(Configuration(receiver_settings(), exporter, rules)) as running:
                for request in self._requests():
                    running.send(request)
                counted = running.service.telemetry.snapshot()
                assert_accounted(counted)
                sink.recover()
                running.stop()
                at_the_end = running.service.telemetry.snapshot()
            assert len(sink.spans()) == self.REQUESTS * self.PER_REQUEST
        assert 100 <= counted.queued_spans < 100 + self.NUM_TRACES + self.PER_REQUEST
        assert counted.waiting_traces == self.REQUESTS * self.PER_REQUEST - counted.queued_spans
        assert (counted.lost_spans, at_the_end.lost_spans) == ({}, {})
        assert_accounted(at_the_end)

    def _requests(self) -> list[bytes]:
        numbers = iter(range(1, 1 + self.REQUESTS * self.PER_REQUEST))
        return [encoded(*[span(next(numbers)) for _ in range(self.PER_REQUEST)]) for _ in range(self.REQUESTS)]
