"""The connection to the peer: silence, tokens, headers, compression, TLS."""

import re
import subprocess
from pathlib import Path
from time import monotonic

import pytest
from milvus_otel_processor.certificates import CertificateError
from milvus_otel_processor.exporter.exporter import OtlpExporter
from milvus_otel_processor.extensions.bearer_token import BearerToken, BearerTokenSettings
from milvus_otel_processor.telemetry.counters import Telemetry
from pydantic import ValidationError

from tests.peers.missing import require_command
from tests.peers.waiting import wait_until
from tests.support.peer import hang, peer
from tests.support.processor import exporter_settings
from tests.support.spans import span
from tests.support.tcp import counting_proxy
from tests.unit.exporter.exporting import GRACE, SPAN, exporting, lengths, trace


def self_signed(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate for a host of this name, and its key."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    openssl = require_command("openssl", "a certificate to test TLS with")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subject = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    command = [openssl, "req", "-x509", *curve, *subject, "-days", "1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


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
