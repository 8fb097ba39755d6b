"""Lines of native code: gRPC's become ours, failed handshakes are counted, the rest stays as it is."""

import logging

import pytest
from milvus_otel_processor.telemetry.native_lines import NativeLines

FAILED = (
    b"I1126 11:10:15.412960   19100 ssl_transport_security.cc:2563] Handshake failed with error SSL_ERROR_SSL: "
    b"error:1000009c:SSL routines:OPENSSL_internal:%s: Invalid certificate verification context"
)


class Taking:
    def __init__(self) -> None:
        self.reasons: list[str] = []
        self.written: list[bytes] = []
        self.lines = NativeLines(self.reasons.append, self.written.append)


def test_a_failed_handshake_is_counted_each_time_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    taking = Taking()
    for _ in range(3):
        taking.lines.take(FAILED % b"HTTP_REQUEST")
    taking.lines.take(FAILED.partition(b"OPENSSL")[0])
    assert taking.reasons == ["HTTP_REQUEST"] * 3 + ["other"]
    assert taking.written == []
    assert [record.getMessage() for record in caplog.records] == [
        "a TLS handshake failed: reason=HTTP_REQUEST; docs/operations.md says what each means"
    ]


def test_reasons_are_bounded() -> None:
    taking = Taking()
    for number in range(100):
        taking.lines.take(FAILED % b"REASON_%d" % number)
    assert len(set(taking.reasons)) == 33
    assert taking.reasons[-1] == "other"


def test_other_lines_of_grpc_are_for_debugging(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    taking = Taking()
    taking.lines.take(b"E1126 11:10:17.600131   19107 src/core/tcp_server.cc:7] no more descriptors \xff")
    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (
        logging.DEBUG,
        "gRPC says, at src/core/tcp_server.cc:7: no more descriptors \ufffd",
    )


def test_what_is_not_grpcs_is_written_on_as_it_came() -> None:
    taking = Taking()
    taking.lines.take(b"thread panicked at \xf0")
    assert (taking.written, taking.reasons) == ([b"thread panicked at \xf0\n"], [])
