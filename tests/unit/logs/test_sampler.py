"""Log records follow the decision over their trace, on a clock that the test turns."""

from collections import Counter
from random import Random

import pytest
from milvus_otel_processor.logs.records import Cutter
from milvus_otel_processor.logs.sampler import PAUSE, LogSampler
from milvus_otel_processor.logs.settings import LogSamplingSettings
from milvus_otel_processor.pipeline.limits import limits_of
from milvus_otel_processor.spans.contract import StoreSettings
from milvus_otel_processor.telemetry.log_records import LogCounts, LogTelemetry
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from tests.support.harness import ERRORS, NEVER, Harness, drop_roots, sampling
from tests.support.log_records import logs_request, record
from tests.support.spans import span, trace_id
from tests.support.stores import every_store

__all__ = ["every_store"]

WAIT = 10.0
RULES = sampling(drop_roots("heartbeat"), ERRORS, NEVER, decision_wait=WAIT)
ERROR = Status.STATUS_CODE_ERROR
OWN = 0xCA7A
"""The trace of the processor's own requests."""


class Sampling:
    """A sampler beside a whole pipeline for traces."""

    def __init__(self, harness: Harness | None = None, **settings: object) -> None:
        self.traces = harness or Harness(RULES)
        self.telemetry = LogTelemetry()
        self.out: list[str] = []
        self.sampler = LogSampler(
            LogSamplingSettings.model_validate(settings),
            fates=self.traces.store,
            wait=lambda: self.traces.store.wait,
            put=lambda records: self.out.extend(
                LogRecord.FromString(encoded).body.string_value for _, encoded in records
            ),
            telemetry=self.telemetry,
            own=trace_id(OWN),
        )
        self.telemetry.watch_waiting(lambda: (self.sampler.held.records, self.sampler.held.size), int)

    def log(self, *records: LogRecord) -> None:
        cut = Cutter().cut(logs_request(*records))
        self.telemetry.received(cut.records)
        self.sampler.take(cut, self.traces.clock())

    def advance(self, seconds: float) -> None:
        for _ in range(round(seconds / PAUSE)):
            self.traces.advance(PAUSE)
            self.sampler.tick(self.traces.clock())

    @property
    def counts(self) -> LogCounts:
        return self.telemetry.snapshot()


def accounted(counts: LogCounts) -> bool:
    return counts.received == sum(counts.decided.values()) + counts.waiting


def test_records_wait_for_their_trace_and_go_on_with_it_or_not() -> None:
    it = Sampling()
    it.traces.put(span(1, status=ERROR), span(2))
    it.log(record(1, "kept"), record(2, "dropped"))
    it.advance(WAIT - 2)
    assert (it.out, it.counts.waiting) == ([], 2)
    it.advance(4)
    assert it.out == ["kept"]
    assert it.counts.decided == Counter({("sampled", "trace"): 1, ("not_sampled", "trace"): 1})
    assert accounted(it.counts)


def test_records_that_come_after_the_decision_follow_it_at_once() -> None:
    it = Sampling()
    it.traces.put(span(1, status=ERROR), span(2))
    it.advance(WAIT + 2)
    it.log(record(1, "kept"), record(2, "dropped"))
    assert (it.out, it.counts.waiting) == (["kept"], 0)


def test_records_that_come_before_any_span_wait_for_it_and_as_long_as_it() -> None:
    it = Sampling()
    it.log(record(1, "first"), record(2, "gone"))
    it.advance(WAIT)
    it.traces.put(span(1, status=ERROR), span(2))
    it.advance(WAIT - 1)
    assert it.out == []
    it.advance(3)
    assert (it.out, it.counts.waiting) == (["first"], 0)


def test_records_of_a_trace_that_the_name_of_its_root_dropped_are_dropped_before_its_time() -> None:
    it = Sampling()
    it.log(record(1, "beat"))
    it.traces.put(span(1, name="heartbeat"))
    it.advance(2 * PAUSE)
    assert (it.out, it.counts.decided) == ([], Counter({("not_sampled", "trace"): 1}))


@pytest.mark.parametrize(("setting", "out"), [("keep", ["lonely"]), ("drop", [])])
def test_records_of_a_trace_that_nobody_has_seen_wait_a_little_longer_and_follow_the_setting(
    setting: str, out: list[str]
) -> None:
    it = Sampling(unknown_trace=setting, additional_wait=3.0)
    it.log(record(1, "lonely"))
    it.advance(WAIT + 3.0 - PAUSE)
    assert (it.out, it.counts.waiting) == ([], 1)
    it.advance(2 * PAUSE)
    assert (it.out, it.counts.waiting) == (out, 0)
    assert list(it.counts.decided) == [("sampled" if out else "not_sampled", "unknown_trace")]


def test_records_of_the_processors_own_requests_are_dropped_at_once() -> None:
    it = Sampling()
    it.log(record(OWN, "DescribeCollection"), record(1, "of another"))
    assert it.counts.waiting == 1
    it.advance(WAIT + 10)
    assert it.out == ["of another"]
    assert it.counts.decided["not_sampled", "trace"] == 1
    assert accounted(it.counts)


def test_each_record_of_such_a_trace_waits_as_long() -> None:
    it = Sampling(additional_wait=0.0)
    it.log(record(1, "early"))
    it.advance(WAIT - 1)
    it.log(record(1, "later"))
    it.advance(2)
    assert it.out == ["early"]
    it.advance(WAIT)
    assert it.out == ["early", "later"]


@pytest.mark.parametrize(("setting", "out"), [("keep", ["of no trace"]), ("drop", [])])
def test_records_without_a_trace_id_follow_their_setting_at_once(setting: str, out: list[str]) -> None:
    it = Sampling(without_trace_id=setting)
    it.log(record(None, "of no trace"))
    assert it.out == out
    assert list(it.counts.decided) == [("sampled" if out else "not_sampled", "without_trace_id")]


def test_a_trace_that_is_being_decided_is_not_taken_for_one_that_nobody_knows() -> None:
    it = Sampling(additional_wait=0.0, unknown_trace="keep")
    it.traces.put(span(2))
    it.log(record(2, "dropped"))
    it.traces.clock.advance(WAIT + 1)
    (trace,) = it.traces.store.take_due(it.traces.clock(), 1)
    it.sampler.tick(it.traces.clock())
    assert (it.out, it.counts.waiting) == ([], 1)
    it.traces.store.remember(trace.id, None)
    it.traces.clock.advance(PAUSE)
    it.sampler.tick(it.traces.clock())
    assert (it.out, it.counts.decided) == ([], Counter({("not_sampled", "trace"): 1}))


def test_a_decision_that_is_forgotten_is_as_good_as_none() -> None:
    small = sampling(NEVER, decision_wait=WAIT, decision_cache={"sampled_cache_size": 1, "non_sampled_cache_size": 1})
    it = Sampling(Harness(small), additional_wait=0.0)
    it.traces.put(span(1), span(2))
    it.advance(WAIT + 2)
    it.log(record(1, "forgotten"), record(2, "remembered"))
    it.advance(WAIT + 2 * PAUSE)
    assert it.out == ["forgotten"]


def test_other_rules_hold_for_records_that_wait_too_and_so_does_a_shorter_wait() -> None:
    it = Sampling(additional_wait=0.0)
    it.traces.put(span(1), span(2, status=ERROR))
    it.log(record(1, "now kept"), record(2, "kept"), record(3, "unknown"))
    other = sampling(decision_wait=2.0)
    it.advance(1)
    it.traces.pipeline.replace_rules(
        other,
        limits_of(other),
        lambda _: StoreSettings(wait=2.0, sampled_cache_size=10, not_sampled_cache_size=10),
    )
    it.advance(4)
    assert (sorted(it.out), it.counts.waiting) == (["kept", "now kept", "unknown"], 0)


@pytest.mark.parametrize("setting", ["keep", "drop"])
def test_beyond_the_limit_the_oldest_are_decided_early_by_the_setting_or_by_their_trace(setting: str) -> None:
    it = Sampling(max_size_mib=1, unknown_trace=setting)
    it.log(record(1, "a" * 400_000))
    it.log(record(2, "b" * 400_000))
    it.traces.put(span(2))
    it.traces.decide_all()
    it.log(record(3, "c" * 400_000))
    it.log(record(4, "d" * 400_000))
    assert it.counts.waiting_bytes <= 1 << 20
    assert [one[0] for one in it.out] == (["a"] if setting == "keep" else [])
    by_setting = "sampled" if setting == "keep" else "not_sampled"
    assert it.counts.decided == Counter({(by_setting, "max_size_mib"): 1, ("not_sampled", "trace"): 1})
    assert accounted(it.counts)


def test_a_record_that_is_larger_than_the_limit_goes_on_at_once() -> None:
    it = Sampling(max_size_mib=1)
    it.log(record(1, "x" * (2 << 20)))
    assert (len(it.out), it.counts.waiting, it.counts.waiting_bytes) == (1, 0, 0)


def test_at_the_end_those_that_wait_follow_their_trace_or_the_setting() -> None:
    it = Sampling()
    it.traces.put(span(1), span(2, status=ERROR))
    it.log(record(1, "dropped"), record(2, "kept"), record(3, "unknown"))
    it.traces.pipeline.drain()
    it.sampler.drain()
    assert (sorted(it.out), it.counts.waiting) == (["kept", "unknown"], 0)
    assert it.counts.decided["sampled", "shutdown"] == 1


def test_a_million_trace_ids_are_bounded_in_bytes() -> None:
    it = Sampling(max_size_mib=1)
    for first in range(1, 20_000, 1000):
        it.log(*(record(number, "x") for number in range(first, first + 1000)))
    counts = it.counts
    assert counts.waiting_bytes <= 1 << 20
    assert accounted(counts)
    assert counts.received == len(it.out) + counts.waiting


def test_records_and_spans_in_any_order_end_alike() -> None:
    for seed in range(20):
        random = Random(seed)
        it = Sampling()
        events: list[tuple[float, int, bool]] = []
        for number in range(1, 21):
            events.append((random.uniform(0, 8), number, True))
            events += [(random.uniform(0, 30), number, False) for _ in range(3)]
        now = 0.0
        for at, number, is_span in sorted(events):
            it.advance(at - now)
            now += round((at - now) / PAUSE) * PAUSE
            if is_span:
                it.traces.put(span(number, status=ERROR if number % 2 else 0))
            else:
                it.log(record(number, f"{number}"))
        it.advance(60)
        assert Counter(it.out) == Counter({str(number): 3 for number in range(1, 21, 2)}), seed
        assert accounted(it.counts)
