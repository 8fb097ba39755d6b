"""The pipeline for logs inside a whole processor: over gRPC in and out, beside traces, rules that are replaced, an end in time."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from grpc_status import rpc_status
from milvus_otel_processor.components import LogsPipeline
from milvus_otel_processor.logs.settings import LogSamplingSettings
from milvus_otel_processor.telemetry.counters import Snapshot
from milvus_otel_processor.telemetry.exposition import exposition
from milvus_otel_processor.telemetry.own import own_metrics
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from tests.peers.waiting import wait_until
from tests.support.harness import ERRORS, NEVER, assert_accounted, sampling
from tests.support.log_records import LOGS_METHOD, logs_request, record, records_in
from tests.support.peer import Answer, Peer, accept, hang, peer
from tests.support.processor import Configuration, Running, exporter_settings, receiver_settings, running_processor
from tests.support.spans import encoded, span
from tests.support.stores import every_store

__all__ = ["every_store"]

ERROR = Status.STATUS_CODE_ERROR


class Parts:
    def __init__(self, running: Running, logs: Peer) -> None:
        self.running = running
        self._logs = logs
        self._export = running.channel.unary_unary(LOGS_METHOD)

    def log(self, request: bytes) -> None:
        self._export(request, timeout=20)

    def bodies(self) -> list[str]:
        return sorted(one.body.string_value for one in records_in(self._logs.requests))

    @property
    def counts(self) -> Snapshot:
        return self.running.service.telemetry.snapshot()


@contextmanager
def parts(*answers: Answer, traces: Answer = accept, wait: float = 1.0, **settings: object) -> Iterator[Parts]:
    with peer(traces) as jaeger, peer(*answers, takes=LOGS_METHOD) as logs:
        pipeline = LogsPipeline(
            LogSamplingSettings.model_validate({"additional_wait": 0.0, **settings}),
            None,
            exporter_settings(logs.endpoint),
            "otlp/logs",
            None,
        )
        rules = sampling(ERRORS, NEVER, decision_wait=wait)
        configuration = Configuration(receiver_settings(), exporter_settings(jaeger.endpoint), rules, logs=pipeline)
        with running_processor(configuration) as running:
            yield Parts(running, logs)


def test_records_follow_their_traces_and_metrics_show_it() -> None:
    with parts() as it:
        it.log(logs_request(record(1, "kept"), record(2, "dropped"), record(None, "of none")))
        it.running.send(encoded(span(1, status=ERROR), span(2)))
        wait_until(lambda: it.bodies() == ["kept", "of none"], "the records", 30)
        wait_until(lambda: it.counts.logs.decided["not_sampled", "trace"] == 1, "the dropped one", 30)
        wait_until(lambda: it.counts.logs.queued == 0, "the answer", 30)
        it.running.stop()
        page = b"".join(exposition(own_metrics(lambda: it.counts)(False), open_metrics=False)).decode()
        assert 'decided_log_records_total{decision="not_sampled",reason="trace"} 1.0' in page
        assert "milvus_otel_exporter_sent_log_records_total 2.0" in page
        assert 'milvus_otel_lost_log_records_total{reason="queue_full"} 0.0' in page
        assert_accounted(it.counts)


def test_rules_that_are_replaced_hold_for_records_that_wait() -> None:
    with parts(wait=3600.0) as it:
        it.running.send(encoded(span(2)))
        it.log(logs_request(record(2, "kept by the new rules"), record(3, "of an unknown trace")))
        it.running.service.replace_rules(sampling(decision_wait=0.1))
        wait_until(lambda: len(it.bodies()) == 2, "the records", 30)
        assert it.counts.logs.decided == {("sampled", "trace"): 1, ("sampled", "unknown_trace"): 1}


def test_at_the_end_traces_are_decided_first_and_records_follow_them() -> None:
    with parts(wait=3600.0, unknown_trace="drop") as it:
        it.running.send(encoded(span(1, status=ERROR), span(2)))
        it.log(logs_request(record(1, "kept"), record(2, "dropped"), record(3, "of an unknown trace")))
        it.running.stop()
        assert it.bodies() == ["kept"]
        assert it.counts.logs.decided == {
            ("sampled", "trace"): 1,
            ("not_sampled", "trace"): 1,
            ("not_sampled", "shutdown"): 1,
        }


@pytest.mark.parametrize("which", ["logs", "traces"])
def test_a_peer_that_does_not_answer_costs_the_other_signal_nothing_at_the_end(which: str) -> None:
    with parts(hang if which == "logs" else accept, traces=hang if which == "traces" else accept, wait=3600.0) as it:
        it.running.send(encoded(span(1, status=ERROR)))
        it.log(logs_request(record(1, "kept")))
        began = monotonic()
        it.running.stop(3.0)
        assert monotonic() - began < 30
        counts = it.counts
        if which == "logs":
            assert (counts.exported_spans, counts.logs.lost) == (1, {"shutdown": 1})
        else:
            assert (counts.logs.sent, counts.lost_spans) == (1, {"shutdown": 1})


def test_while_too_many_wait_to_be_sent_senders_are_told_to_try_again_and_spans_come_in() -> None:
    with parts(hang, max_size_mib=1) as it:
        big = logs_request(record(None, "x" * 300_000))
        fill_up = [it.log] * 20
        with pytest.raises(grpc.RpcError) as raised:
            any(log(big) for log in fill_up)
        assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        status = rpc_status.from_call(raised.value)
        assert status is not None
        assert status.details[0].Is(RetryInfo.DESCRIPTOR)
        assert it.counts.refused_requests["logs_queue_full"] == 1
        it.running.send(encoded(span(1)))
        it.running.stop(1.0)


def test_a_request_that_is_no_protobuf_is_refused_for_good() -> None:
    with parts() as it, pytest.raises(grpc.RpcError) as raised:
        it.log(b"\xff")
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
