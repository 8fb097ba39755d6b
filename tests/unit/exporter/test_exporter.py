"""Kept spans on their way to a real gRPC server in this process."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from time import monotonic

import grpc
import pytest
from milvus_otel_processor.certificates import CertificateError
from milvus_otel_processor.exporter.exporter import OtlpExporter
from milvus_otel_processor.extensions.bearer_token import BearerToken, BearerTokenSettings
from milvus_otel_processor.spans.groups import Group
from milvus_otel_processor.spans.trace import ReferenceTrace
from milvus_otel_processor.telemetry.counters import Snapshot, Telemetry
from pydantic import ValidationError

from tests.peers.missing import require_command
from tests.peers.otlp_sink import otlp_sink
from tests.peers.waiting import wait_until
from tests.support.peer import (
    RESOURCE_EXHAUSTED,
    UNAVAILABLE,
    Peer,
    accept,
    ask_for_pause,
    fail,
    hang,
    peer,
    reject,
)
from tests.support.processor import exporter_settings
from tests.support.spans import span
from tests.support.tcp import counting_proxy
from tests.support.wire import spans_of

GROUP = Group(b"", b"")
SPAN = span().SerializeToString()
GRACE = 10.0


def trace(spans: list[bytes]) -> ReferenceTrace:
    return ReferenceTrace(bytes(16), [GROUP] * len(spans), spans)


class RecordedPauses(Event):
    """Instead of the pauses between tries: keeps how long they were to be, and waits for none of them."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.pauses.append(timeout)
        return self.is_set()


class Exporting:
    """An exporter that runs, and what it counts."""

    def __init__(self, endpoint: str, **settings: object) -> None:
        self.telemetry = Telemetry()
        self.exporter = OtlpExporter(exporter_settings(endpoint, **settings), self.telemetry, random=lambda: 0.5)
        self.pauses = RecordedPauses()
        self.exporter._giving_up = self.pauses

    def put(self, count: int = 1, span: bytes = SPAN) -> None:
        self.exporter.put(trace([span] * count))

    def stop(self, grace: float = GRACE) -> Snapshot:
        self.exporter.stop(grace)
        return self.telemetry.snapshot()

    def settled(self) -> Snapshot:
        """The counters when nothing is queued any more."""
        wait_until(lambda: self.telemetry.snapshot().queued_spans == 0, "the queue to be empty", interval=0.005)
        return self.telemetry.snapshot()


def self_signed(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate for a host of this name, and its key."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    openssl = require_command("openssl", "a certificate to test TLS with")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subject = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    command = [openssl, "req", "-x509", *curve, *subject, "-days", "1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


@contextmanager
def exporting(endpoint: str, **settings: object) -> Iterator[Exporting]:
    made = Exporting(endpoint, **settings)
    made.exporter.start()
    try:
        yield made
    finally:
        made.exporter.stop(0.0)


def batches(**settings: object) -> dict[str, object]:
    return {"batch": {"flush_timeout": 0.01, **settings}}


def lengths(found: Peer) -> list[int]:
    return [len(spans_of(request)) for request in found.requests]


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

    @pytest.mark.parametrize("bad", [{0}, {99}, {37}, {3, 50, 51}], ids=str)
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


class TestTheConnection:
    def test_one_that_has_gone_silent_is_given_up_and_a_new_one_made(self) -> None:
        keepalive = {"time": 1.0, "timeout": 1.0}
        with (
            peer() as server,
            counting_proxy(server.endpoint) as proxy,
            exporting(proxy.endpoint, timeout=30.0, keepalive=keepalive) as out,
        ):
            out.put()
            assert out.settled().exported_spans == 1
            proxy.go_silent()
            began = monotonic()
            out.put()
            wait_until(lambda: len(server.requests) == 2, "the span to go over a new connection", interval=0.05)
            assert monotonic() - began < 20
            assert out.settled().exported_spans == 2

    def test_the_token_of_a_file_is_shown_and_the_new_one_when_it_changes(self, tmp_path: Path) -> None:
        file = tmp_path / "token"
        file.write_text("first\n", encoding="ascii")
        token = BearerToken(BearerTokenSettings(filename=str(file)))
        with peer() as server:
            exporter = OtlpExporter(exporter_settings(server.endpoint), Telemetry(), token=token.header)
            exporter.start()
            exporter.put(trace([SPAN]))
            wait_until(lambda: len(server.requests) == 1, "the first request")
            file.write_text("second\n", encoding="ascii")
            assert token.renew()
            exporter.put(trace([SPAN]))
            exporter.stop(GRACE)
        assert [one["authorization"] for one in server.metadata] == ["Bearer first", "Bearer second"]

    def test_headers_that_are_replaced_go_with_the_next_request(self) -> None:
        with peer() as server, exporting(server.endpoint, headers={"X-Tenant": "shop"}) as out:
            out.put()
            out.settled()
            out.exporter.replace_headers({"X-Tenant": "farm"})
            out.put()
            out.stop()
        assert [one["x-tenant"] for one in server.metadata] == ["shop", "farm"]

    def test_by_default_it_is_left_at_the_first_request_without_an_answer_which_then_goes_again_at_once(self) -> None:
        with peer() as server, counting_proxy(server.endpoint) as proxy, exporting(proxy.endpoint, timeout=1.5) as out:
            out.put()
            out.settled()
            proxy.go_silent()
            began = monotonic()
            out.put()
            wait_until(lambda: len(server.requests) == 2, "the span to go over a new connection", interval=0.05)
            assert monotonic() - began < 10
            assert out.settled().exported_spans == 2
            assert out.pauses.pauses == [0.0]

    def test_a_peer_that_answers_nobody_is_pressed_once_alone(self) -> None:
        with peer(hang) as server, exporting(server.endpoint, timeout=1.1) as out:
            out.put()
            wait_until(lambda: len(out.pauses.pauses) == 3, "three tries", interval=0.05)
            assert out.pauses.pauses == [0.0, *[5.0 * 1.5**number for number in (1, 2)]]

    def test_headers_go_with_each_request_in_lower_case(self) -> None:
        with peer() as server, exporting(server.endpoint, headers={"X-Tenant": "shop"}) as out:
            out.put()
            out.settled()
        assert server.metadata[0]["x-tenant"] == "shop"

    @pytest.mark.parametrize("name", ["", "x tenant", "größe", "x:y", "grpc-timeout", "trace-bin", ":path"])
    def test_a_header_that_grpc_cannot_send_is_refused_from_the_start(self, name: str) -> None:
        with pytest.raises(ValueError, match=re.escape(repr(name))):
            exporter_settings("127.0.0.1:1", headers={name: "x"})

    @pytest.mark.parametrize("value", ["token\n", "größe", "\0"])
    def test_so_is_a_value_which_is_not_shown(self, value: str) -> None:
        with pytest.raises(ValidationError) as caught:
            exporter_settings("127.0.0.1:1", headers={"Authorization": value})
        (problem,) = caught.value.errors()
        assert problem["msg"].endswith("printable ASCII characters alone as the value of the header 'Authorization'")

    @pytest.mark.parametrize(("compression", "smaller"), [("gzip", True), ("none", False)])
    def test_requests_arrive_whole_compressed_or_not(self, compression: str, smaller: bool) -> None:
        repetitive = span(attributes={"text": "x" * 1000}).SerializeToString()
        with peer() as server, counting_proxy(server.endpoint) as proxy:
            with exporting(proxy.endpoint, compression=compression) as out:
                out.put(100, repetitive)
                assert out.settled().exported_spans == 100
            assert lengths(server) == [100]
            assert (proxy.sent < 20_000) is smaller

    def test_over_tls_the_peers_certificate_is_checked(self, tmp_path: Path) -> None:
        certificate, key = self_signed(tmp_path, "jaeger.example")
        tls = {"insecure": False, "ca_file": str(certificate), "server_name_override": "jaeger.example"}
        with peer(certificate=certificate, key=key) as server:
            with exporting(server.endpoint, tls=tls) as out:
                out.put()
                assert out.settled().exported_spans == 1
            for wrong in ({"server_name_override": "other.example"}, {"ca_file": None}):
                with exporting(server.endpoint, tls=tls | wrong, retry_on_failure={"max_elapsed_time": 0.001}) as out:
                    out.put()
                    assert out.settled().lost_spans == {"retries_exhausted": 1}
        assert len(server.requests) == 1

    def test_an_authority_that_is_replaced_is_followed(self, tmp_path: Path) -> None:
        for name in ("old", "new"):
            (tmp_path / name).mkdir()
        old, _ = self_signed(tmp_path / "old", "jaeger.example")
        certificate, key = self_signed(tmp_path / "new", "jaeger.example")
        trusted = tmp_path / "ca.pem"
        trusted.write_bytes(old.read_bytes())
        tls = {"insecure": False, "ca_file": str(trusted), "server_name_override": "jaeger.example"}
        with peer(certificate=certificate, key=key) as server, exporting(server.endpoint, tls=tls, timeout=2.0) as out:
            out.put()
            wait_until(lambda: out.exporter._failing, "a first try to fail", interval=0.005)
            trusted.write_bytes(certificate.read_bytes())
            assert out.settled().exported_spans == 1
        assert out.telemetry.snapshot().lost_spans == {}

    @pytest.mark.parametrize("key", ["ca_file", "cert_file", "key_file"])
    def test_a_file_that_is_missing_is_an_error_from_the_start(self, key: str, tmp_path: Path) -> None:
        there, missing = tmp_path / "there.pem", tmp_path / "missing.pem"
        there.write_text("-----BEGIN CERTIFICATE-----")
        tls = {"cert_file": str(there), "key_file": str(there)} | {key: str(missing)}
        with pytest.raises(CertificateError, match=r"missing\.pem"):
            OtlpExporter(exporter_settings("127.0.0.1:1", tls=tls), Telemetry())

    def test_a_certificate_without_its_key_is_refused(self) -> None:
        with pytest.raises(ValueError, match="expected cert_file and key_file, both or neither"):
            exporter_settings("127.0.0.1:1", tls={"cert_file": "a.pem"})
