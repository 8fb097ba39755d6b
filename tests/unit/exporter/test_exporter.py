"""Kept spans on their way to a real gRPC server in this process."""

from threading import Event

import grpc
import pytest

from tests.peers.otlp_sink import otlp_sink
from tests.peers.waiting import wait_until
from tests.support.peer import (
    RESOURCE_EXHAUSTED,
    UNAVAILABLE,
    accept,
    ask_for_pause,
    fail,
    peer,
    reject,
)
from tests.support.spans import span
from tests.unit.exporter.exporting import SPAN, Exporting, batches, exporting, lengths, trace


class TestBatches:
    def test_spans_go_out_together_when_there_are_enough(self) -> None:
        with (
            peer() as server,
            exporting(server.endpoint, sending_queue=batches(min_size=4, flush_timeout=3600.0)) as out,
        ):
            for _ in range(8):
                out.put()
            assert out.settled().exported_spans == 8
        assert lengths(server) == [4, 4]

    def test_fewer_go_out_after_a_while(self) -> None:
        with peer() as server, exporting(server.endpoint, sending_queue=batches(min_size=1000)) as out:
            out.put(3)
            assert out.settled().exported_spans == 3
        assert sum(lengths(server)) == 3

    def test_more_bytes_than_a_server_takes_go_out_as_several_requests(self) -> None:
        large = span(attributes={"text": "x" * 300_000}).SerializeToString()
        with (
            otlp_sink(max_message_mib=1) as sink,
            exporting(sink.endpoint, sending_queue=batches(max_size_mib=1)) as out,
        ):
            out.put(10, large)
            assert out.settled().exported_spans == 10
            assert len(sink.spans()) == 10

    def test_by_default_no_request_is_larger_than_grpc_servers_take_by_default(self) -> None:
        with otlp_sink(max_message_mib=4) as sink, exporting(sink.endpoint) as out:
            out.put(8192, span(attributes={"text": "x" * 600}).SerializeToString())
            assert out.settled().exported_spans == 8192

    def test_one_span_that_is_too_large_is_lost_alone(self) -> None:
        huge = span(attributes={"text": "x" * 1_100_000}).SerializeToString()
        with (
            otlp_sink(max_message_mib=1) as sink,
            exporting(sink.endpoint, sending_queue=batches(max_size_mib=1)) as out,
        ):
            out.exporter.put(trace([SPAN, huge, SPAN]))
            after = out.settled()
        assert (after.exported_spans, after.lost_spans) == (2, {"rejected": 1})


class TestSpansThatThePeerRefuses:
    """It refuses the whole request, and does not say for which span."""

    @pytest.mark.parametrize("bad", [{0}, {99}, {37}, {3, 50, 51}], ids=["first", "last", "one", "several"])
    def test_they_alone_are_lost(self, bad: set[int]) -> None:
        refused = span(name="refused").SerializeToString()
        with peer() as server, exporting(server.endpoint) as out:
            server.refuses = b"refused"
            out.exporter.put(trace([refused if number in bad else SPAN for number in range(100)]))
            after = out.settled()
        assert (after.exported_spans, after.lost_spans) == (100 - len(bad), {"rejected": len(bad)})
        assert out.pauses.pauses == []

    def test_a_peer_that_refuses_all_is_not_asked_without_end(self) -> None:
        with peer() as server, exporting(server.endpoint) as out:
            server.refuses = b"request"
            out.put(1000)
            assert out.settled().lost_spans == {"rejected": 1000}
        assert len(server.requests) < 200

    @pytest.mark.parametrize("code", [grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNIMPLEMENTED])
    def test_a_refusal_of_us_is_not_taken_for_one_of_a_span(self, code: grpc.StatusCode) -> None:
        with peer(fail(code)) as server, exporting(server.endpoint) as out:
            out.put(100)
            assert out.settled().lost_spans == {"rejected": 100}
        assert len(server.requests) == 1


class TestTheQueue:
    def test_a_trace_with_more_spans_than_the_queue_goes_in_parts(self) -> None:
        large = span(attributes={"text": "x" * 1000}).SerializeToString()
        with (
            otlp_sink(max_message_mib=1) as sink,
            exporting(sink.endpoint, sending_queue={"queue_size": 10} | batches(max_size_mib=1)) as out,
        ):
            out.put(5000, large)
            after = out.settled()
            assert (after.exported_spans, len(sink.spans())) == (5000, 5000)
        assert after.lost_spans == {}

    def test_that_there_is_no_room_is_told_and_said_once_each_time(self, caplog: pytest.LogCaptureFixture) -> None:
        made = Exporting("127.0.0.1:1", sending_queue={"queue_size": 5})
        assert made.exporter.wait_for_room(0)
        made.put(5)
        assert not any(made.exporter.wait_for_room(0) for _ in range(3))
        assert caplog.text.count("sending queue is full, decisions wait") == 1
        assert "endpoint=127.0.0.1:1 queue_size=5" in caplog.text
        made.exporter._queue.clear()
        assert made.exporter.wait_for_room(0)
        made.put(6)
        assert not made.exporter.wait_for_room(0)
        assert caplog.text.count("sending queue is full, decisions wait") == 2

    def test_a_thread_survives_whatever_happens_to_a_batch_and_its_spans_are_counted(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with peer() as server, exporting(server.endpoint, sending_queue={"num_consumers": 1} | batches()) as out:
            monkeypatch.setattr(out.exporter, "_join_traces", lambda _: 1 / 0)
            out.put(3)
            assert out.settled().lost_spans == {"failed": 3}
            monkeypatch.undo()
            out.put(2)
            after = out.settled()
        assert (after.exported_spans, after.lost_spans) == (2, {"failed": 3})

    def test_a_thread_survives_a_disk_that_cannot_forget_what_was_sent(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fails(_: object) -> None:
            raise OSError("no such device")

        queue = {"num_consumers": 1, "queue_size": 4} | batches()
        with peer() as server, exporting(server.endpoint, sending_queue=queue) as out:
            monkeypatch.setattr(out.exporter, "_on_out", fails)
            for _ in range(3):
                out.put(4)
                assert out.settled().lost_spans == {}
                assert out.exporter.wait_for_room(60)
            after = out.settled()
        assert after.exported_spans == 12
        assert caplog.text.count("cannot be forgotten on disk, it may be sent again: spans=4") == 1


class TestRetries:
    def test_a_request_that_failed_for_now_is_sent_again_after_growing_pauses(self) -> None:
        unavailable = fail(grpc.StatusCode.UNAVAILABLE)
        with peer(unavailable, unavailable, unavailable, accept) as server, exporting(server.endpoint) as out:
            out.put(2)
            after = out.settled()
        assert (after.exported_spans, after.retries, after.lost_spans) == (2, 3, {})
        assert out.pauses.pauses == pytest.approx([5, 7.5, 11.25])
        assert len(set(server.requests)) == 1

    @pytest.mark.parametrize("code", [UNAVAILABLE, RESOURCE_EXHAUSTED])
    def test_the_pause_that_the_peer_asks_for_is_made(self, code: int) -> None:
        with peer(ask_for_pause(code, 17), ask_for_pause(code, 1), accept) as server, exporting(server.endpoint) as out:
            out.put()
            assert out.settled().exported_spans == 1
        assert out.pauses.pauses == pytest.approx([17, 7.5])

    @pytest.mark.parametrize("code", [grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.RESOURCE_EXHAUSTED])
    def test_what_will_not_pass_is_lost_and_counted_at_once(
        self, code: grpc.StatusCode, caplog: pytest.LogCaptureFixture
    ) -> None:
        with peer(fail(code), accept) as server, exporting(server.endpoint) as out:
            out.put(1)
            assert out.settled().lost_spans == {"rejected": 1}
            out.put(1)
            assert out.settled().exported_spans == 1
        assert out.pauses.pauses == []
        assert f"reason=rejected spans=1 endpoint={server.endpoint} code={code.name}" in caplog.text

    def test_it_is_given_up_in_the_end(self) -> None:
        retry = {"initial_interval": 5.0, "max_elapsed_time": 1.0}
        with (
            peer(fail(grpc.StatusCode.UNAVAILABLE)) as server,
            exporting(server.endpoint, retry_on_failure=retry) as out,
        ):
            out.put()
            after = out.settled()
        assert (after.lost_spans, after.retries, len(server.requests)) == ({"retries_exhausted": 1}, 0, 1)

    def test_an_outage_is_said_once_and_its_end_too(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level("INFO")
        unavailable = fail(grpc.StatusCode.UNAVAILABLE)
        with peer(unavailable, unavailable, accept) as server, exporting(server.endpoint) as out:
            out.put()
            out.settled()
        assert caplog.text.count("exporting failed, trying again") == 1
        assert caplog.text.count("exporting again") == 1

    def test_a_peer_that_is_not_there_is_waited_for(self) -> None:
        with peer() as gone:
            endpoint = gone.endpoint
        with exporting(endpoint, retry_on_failure={"max_elapsed_time": 0.001}) as out:
            out.put()
            assert out.settled().lost_spans == {"retries_exhausted": 1}


class TestPartialSuccess:
    def test_what_the_peer_rejects_is_lost_and_counted(self, caplog: pytest.LogCaptureFixture) -> None:
        with peer(reject(2, "too old")) as server, exporting(server.endpoint) as out:
            out.put(5)
            after = out.settled()
        assert (after.exported_spans, after.lost_spans) == (3, {"rejected": 2})
        assert "spans=2 message=too old" in caplog.text

    @pytest.mark.parametrize("told", [9, -9])
    def test_a_number_that_cannot_be_is_not_believed(self, told: int) -> None:
        with peer(reject(told)) as server, exporting(server.endpoint) as out:
            out.put(5)
            after = out.settled()
        assert (after.exported_spans, after.lost_spans) == ((0, {"rejected": 5}) if told > 0 else (5, {}))

    def test_a_warning_alone_costs_nothing(self, caplog: pytest.LogCaptureFixture) -> None:
        with peer(reject(0, "be warned")) as server, exporting(server.endpoint) as out:
            out.put(5)
            assert out.settled().exported_spans == 5
        assert "be warned" in caplog.text

    def test_an_answer_that_is_not_protobuf_is_still_an_answer(self) -> None:
        with peer(lambda _: b"\xff") as server, exporting(server.endpoint) as out:
            out.put(5)
            assert out.settled().exported_spans == 5


class TestTheEnd:
    def test_what_waits_is_sent(self) -> None:
        with peer() as server, exporting(server.endpoint, sending_queue=batches(flush_timeout=3600.0)) as out:
            out.put(3)
            after = out.stop()
        assert (after.exported_spans, after.queued_spans, after.lost_spans) == (3, 0, {})

    def test_what_cannot_be_sent_in_time_is_lost_and_counted(self) -> None:
        queue = {"num_consumers": 1} | batches(min_size=2, flush_timeout=3600.0)  # one batch under way, others not
        made = Exporting("127.0.0.1:1", sending_queue=queue)
        made.exporter._giving_up = Event()  # the pauses are real: what ends them is that time is over
        made.exporter.start()
        for _ in range(7):
            made.put(1)
        wait_until(lambda: made.exporter._failing, "a first try to fail", interval=0.005)
        after = made.stop(0.05)
        assert (after.queued_spans, after.lost_spans) == (0, {"shutdown": 7})

    def test_what_is_put_after_the_end_is_lost_and_counted(self) -> None:
        with peer() as server, exporting(server.endpoint) as out:
            out.stop()
            out.put(2)
            after = out.telemetry.snapshot()
        assert (after.queued_spans, after.lost_spans) == (0, {"shutdown": 2})
