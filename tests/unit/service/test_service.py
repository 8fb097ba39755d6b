"""The steps wired together: which of them take part, and how they end."""

from pathlib import Path
from time import monotonic

import grpc
import pytest
from milvus_otel_processor.enrichment.settings import MilvusSettings
from milvus_otel_processor.sampling.settings import TailSamplingSettings
from milvus_otel_processor.service.making import StartError
from milvus_otel_processor.service.service import Service

from tests.peers.otlp_sink import otlp_sink
from tests.peers.waiting import wait_until
from tests.support.harness import ERRORS, assert_accounted, sampling
from tests.support.processor import Configuration, exporter_settings, receiver_settings, running_processor
from tests.support.spans import attributes_of, encoded, span

SEARCH = {"db.system.name": "milvus", "db.collection.name": "products"}
HOUR = 3600.0
FAR_FROM_AN_HOUR = 20.0
REQUEST = encoded(span(1, 1, attributes=SEARCH), span(1, 2, 1))
SOURCE = {"milvus.enrichment": "client"}
POLICY = {"tailsampling.policy": "everything"}


@pytest.mark.parametrize(
    ("milvus", "tail_sampling", "child"),
    [
        (True, sampling(decision_wait=0.01), SEARCH | SOURCE | POLICY),
        (False, sampling(decision_wait=0.01), POLICY),
        (True, None, SEARCH | SOURCE),
        (False, None, {}),
    ],
    ids=["both", "only tail_sampling", "only milvus", "neither"],
)
def test_either_processor_can_be_left_out(
    milvus: bool, tail_sampling: TailSamplingSettings | None, child: dict[str, object]
) -> None:
    settings = MilvusSettings(uri="http://127.0.0.1:1", wait_duration=0.01) if milvus else None
    with otlp_sink() as sink:
        configuration = Configuration(
            receiver_settings(), exporter_settings(sink.endpoint), tail_sampling=tail_sampling, milvus=settings
        )
        with running_processor(configuration) as running:
            running.send(REQUEST)
            sink.wait_for(lambda it: len(it.spans()) == 2)  # decided by the clock, not by the end
            found = {one.span_id[-1]: attributes_of(one.SerializeToString()) for one in sink.spans()}
    assert found[2] == child


def test_what_waits_at_the_end_is_decided_and_sent() -> None:
    with otlp_sink() as sink:
        configuration = Configuration(
            receiver_settings(), exporter_settings(sink.endpoint), sampling(decision_wait=3600.0)
        )
        with running_processor(configuration) as running:
            running.send(REQUEST)
            assert sink.received() == []
            running.stop()
            assert len(sink.spans()) == 2
            assert_accounted(running.service.telemetry.snapshot())


def test_what_waits_at_the_end_is_discarded_and_counted_where_that_is_wanted() -> None:
    with otlp_sink() as sink:
        rules = sampling(decision_wait=3600.0, drop_pending_traces_on_shutdown=True)
        with running_processor(Configuration(receiver_settings(), exporter_settings(sink.endpoint), rules)) as running:
            running.send(REQUEST)
            running.stop()
            after = running.service.telemetry.snapshot()
        assert sink.spans() == []
    assert after.lost_spans == {"shutdown": 2}
    assert_accounted(after)


def test_nothing_is_received_after_the_end() -> None:
    with running_processor(
        Configuration(receiver_settings(), exporter_settings("127.0.0.1:1"), sampling(ERRORS))
    ) as running:
        running.stop()
        with pytest.raises(grpc.RpcError) as caught:
            running.send(REQUEST)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_an_exporters_peer_that_is_not_there_holds_up_neither_receiving_nor_the_end() -> None:
    with running_processor(
        Configuration(receiver_settings(), exporter_settings("127.0.0.1:1"), sampling(decision_wait=0.01))
    ) as running:
        running.send(REQUEST)
        telemetry = running.service.telemetry
        wait_until(lambda: telemetry.snapshot().queued_spans == 2, "the trace to be decided", interval=0.005)
        running.send(encoded(span(2)))
        running.stop(0.5)
        after = telemetry.snapshot()
    assert after.lost_spans == {"shutdown": 3}
    assert_accounted(after)


def test_an_exporters_peer_that_never_answers_does_not_hold_up_the_end() -> None:
    with otlp_sink() as sink:
        sink.delay(HOUR)
        configuration = Configuration(
            receiver_settings(), exporter_settings(sink.endpoint, timeout=0.0), sampling(decision_wait=0.01)
        )
        with running_processor(configuration) as running:
            running.send(REQUEST)
            telemetry = running.service.telemetry
            wait_until(lambda: telemetry.snapshot().queued_spans == 2, "the trace to be decided", interval=0.005)
            started = monotonic()
            running.stop(0.3)
            took = monotonic() - started
            after = telemetry.snapshot()
    assert took < FAR_FROM_AN_HOUR
    assert after.lost_spans == {"shutdown": 2}
    assert_accounted(after)


@pytest.mark.parametrize(("name", "problem"), [("missing.pem", "cannot be read"), ("folder", "is not a file")])
def test_a_tls_file_that_cannot_be_read_is_one_clear_error(name: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    path = tmp_path / name
    exporter = exporter_settings("127.0.0.1:1", tls={"ca_file": str(path)})
    with pytest.raises(StartError, match=r"exporters\.otlp\.tls: ") as caught:
        Service(Configuration(receiver_settings(), exporter, sampling()))
    assert str(path) in str(caught.value)
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)
