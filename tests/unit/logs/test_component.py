"""The pipeline for logs, with its own exporter, between a request and a real gRPC server in this process."""

from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import pytest
from milvus_otel_processor.exporter.exporter import OtlpExporter
from milvus_otel_processor.exporter.signal import LOG_RECORDS
from milvus_otel_processor.logs.component import Logs
from milvus_otel_processor.logs.outlet import LogOutlet
from milvus_otel_processor.logs.records import Record
from milvus_otel_processor.logs.settings import LogSamplingSettings
from milvus_otel_processor.receiver.exports import RefusedForNowError
from milvus_otel_processor.spans.schema import DecodeError
from milvus_otel_processor.telemetry.log_records import LogCounts, LogTelemetry

from tests.peers.waiting import wait_until
from tests.support.harness import Harness
from tests.support.log_records import LOGS_METHOD, logs_request, record, records_in
from tests.support.peer import Answer, Peer, accept, fail, hang, peer, reject
from tests.support.processor import exporter_settings
from tests.support.spans import span
from tests.unit.logs.test_records import LINE


class Running:
    def __init__(self, server: Peer, harness: Harness, **settings: object) -> None:
        self.server = server
        self.traces = harness
        self.telemetry = LogTelemetry()
        self.lines: list[bytes] = []
        self.fails_at = b""
        """What a record holds that cannot be redacted."""
        retries = {"initial_interval": 0.01, "max_interval": 0.01, "max_elapsed_time": 0.2}
        exporter = OtlpExporter(
            exporter_settings(server.endpoint, retry_on_failure=retries, timeout=5.0),
            self.telemetry,
            signal=LOG_RECORDS,
        )
        self.logs = Logs(
            LogSamplingSettings.model_validate(settings),
            fates=harness.store,
            wait=lambda: harness.store.wait,
            exporter=exporter,
            outlet=LogOutlet(exporter, self.telemetry, redact=self.redact),
            telemetry=self.telemetry,
            clock=harness.clock,
            take_lines=self.lines.append,
        )

    def redact(self, one: Record) -> Record:
        if self.fails_at and self.fails_at in one[1]:
            raise RuntimeError("told to fail by the test")
        return one

    def bodies(self) -> list[str]:
        return [one.body.string_value for one in records_in(self.server.requests)]

    @property
    def counts(self) -> LogCounts:
        return self.telemetry.snapshot()

    def settled(self) -> LogCounts:
        wait_until(lambda: self.counts.queued == 0, "the queue to be empty", interval=0.005)
        return self.counts


def assert_accounted(counts: LogCounts) -> None:
    """Each record that came in is lost before the decision, or decided, or waits; each sampled one is sent, lost or queued."""
    decided = sum(counts.decided.values())
    sampled = sum(number for (decision, _), number in counts.decided.items() if decision == "sampled")
    before = counts.lost["malformed"] + counts.lost["queue_full"]
    after = sum(counts.lost.values()) - before
    assert counts.received == before + decided + counts.waiting, counts
    assert sampled == counts.sent + after + counts.queued, counts


@contextmanager
def running(*answers: Answer, **settings: object) -> Iterator[Running]:
    with peer(*answers, takes=LOGS_METHOD) as server:
        it = Running(server, Harness(), **settings)
        it.logs.start()
        try:
            yield it
        finally:
            it.logs.stop(0.0)
            assert_accounted(it.counts)
            assert it.counts.waiting == 0


def test_records_of_sampled_traces_come_out_as_they_came_in_under_their_own_resource() -> None:
    with running() as it:
        it.traces.put(span(1))
        it.traces.decide_all()
        it.logs.ingest(logs_request(record(1, "one", {"n": 1}), resource={"service.name": "shop"}))
        it.logs.ingest(logs_request(record(1, "two")))
        assert it.settled().sent == 2
        assert sorted(it.bodies()) == ["one", "two"]
        assert all(b"shop.orders" in one and b"service.name" in one for one in it.server.requests)


def test_its_own_thread_decides_when_the_trace_is() -> None:
    with running() as it:
        it.traces.put(span(1))
        it.logs.ingest(logs_request(record(1, "one")))
        it.traces.decide_all()
        wait_until(lambda: it.counts.sent == 1, "the record to be sent", 30)


def test_what_waits_at_the_end_is_decided_and_sent() -> None:
    with running() as it:
        it.logs.ingest(logs_request(record(1, "one"), record(None, "two")))
        it.logs.stop(10.0)
        assert sorted(it.bodies()) == ["one", "two"]
        assert it.counts.sent == 2


def test_what_nobody_takes_at_the_end_is_counted_as_lost() -> None:
    with running(hang) as it:
        it.logs.ingest(logs_request(record(None, "one"), record(1, "two")))
        wait_until(lambda: it.server.requests, "the first to be under way")
        it.logs.stop(0.2)
        assert it.counts.lost["shutdown"] == 2


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (fail(grpc.StatusCode.UNAVAILABLE), "retries_exhausted"),
        (fail(grpc.StatusCode.UNIMPLEMENTED), "rejected"),
        (reject(1), "rejected"),
    ],
    ids=["unavailable", "unimplemented", "partial success"],
)
def test_what_the_peer_does_not_take_is_lost_for_that_reason(answer: Answer, reason: str) -> None:
    with running(answer) as it:
        it.logs.ingest(logs_request(record(None, "one")))
        wait_until(lambda: it.counts.lost, "the loss")
        assert it.counts.lost == {reason: 1}


def test_a_failure_that_passes_costs_nothing() -> None:
    with running(fail(grpc.StatusCode.UNAVAILABLE), accept) as it:
        it.logs.ingest(logs_request(record(None, "one")))
        counts = it.settled()
        assert (counts.sent, counts.retries) == (1, 1)


def test_malformed_records_are_lost_and_counted_and_the_others_go_on() -> None:
    with running() as it:
        it.logs.ingest(logs_request(record(None, "good"), b"\xff"))
        counts = it.settled()
        assert (counts.received, counts.sent, counts.lost) == (2, 1, {"malformed": 1})


def test_a_request_that_is_no_protobuf_counts_nothing() -> None:
    with running() as it:
        with pytest.raises(DecodeError):
            it.logs.ingest(b"\xff")
        assert it.counts.received == 0


def test_what_cannot_be_redacted_does_not_leave() -> None:
    with running() as it:
        it.fails_at = b"bad"
        it.logs.ingest(logs_request(record(None, "bad"), record(None, "good")))
        counts = it.settled()
        assert (it.bodies(), counts.lost) == (["good"], {"failed": 1})


class TestFullQueue:
    """More than 1 MiB waits for a peer that takes nothing."""

    BIG = logs_request(record(None, "x" * 300_000))

    def fill(self, it: Running) -> None:
        for _ in range(20):
            try:
                it.logs.ingest(self.BIG)
            except RefusedForNowError:
                return
        pytest.fail("it takes everything")

    def test_requests_are_refused_for_now_and_nothing_of_them_is_taken(self) -> None:
        with running(hang, max_size_mib=1) as it:
            self.fill(it)
            before = it.counts
            with pytest.raises(RefusedForNowError):
                it.logs.ingest(logs_request(record(1)))
            assert it.counts.received == before.received
            assert it.logs.memory() < 4 << 20

    def test_lines_of_the_access_log_are_read_and_lost_as_records(self) -> None:
        with running(hang, max_size_mib=1) as it:
            self.fill(it)
            it.logs.ingest(logs_request(record(None, LINE)))
            assert LINE.encode() in it.lines[0]
            assert it.counts.lost == {"queue_full": 1}

    def test_records_that_wait_for_their_trace_wait_on(self) -> None:
        with running(hang, max_size_mib=1) as it:
            it.logs.ingest(logs_request(record(1, "waits")))
            self.fill(it)
            it.traces.clock.advance(1000)
            it.logs.tick()
            assert it.counts.waiting == 1


def test_lines_of_the_access_log_are_read_whatever_becomes_of_them() -> None:
    with running(without_trace_id="drop") as it:
        it.logs.ingest(logs_request(record(None, LINE), record(None, "other"), record(1, LINE)))
        assert [one.body.string_value for one in records_in(it.lines)] == [LINE, LINE]
        assert it.counts.decided["not_sampled", "without_trace_id"] == 2


def test_without_lines_nobody_is_asked_to_read_any() -> None:
    with running() as it:
        it.logs.ingest(logs_request(record(1)))
        it.logs.ingest(b"")
        assert it.lines == []
