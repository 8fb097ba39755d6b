"""The receiver with a certificate: TLS and nothing else, and a file that is wrong is named."""

from __future__ import annotations

from shutil import copy
from ssl import get_server_certificate
from time import sleep
from typing import TYPE_CHECKING

import grpc
import pytest
from click.testing import CliRunner
from milvus_otel_processor.cli.health import command as health
from milvus_otel_processor.receiver.server import PortError, Receiver
from milvus_otel_processor.receiver.services import TRACE_SERVICE, traces
from milvus_otel_processor.receiver.settings import GrpcSettings, ProtocolsSettings, ReceiverSettings
from milvus_otel_processor.telemetry.counters import Telemetry
from milvus_otel_processor.tls import ServerTlsSettings
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.peers.otlp_sink import METHOD
from tests.stack.certificates import make_certificates
from tests.support.door import Door

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificates(tmp_path_factory.mktemp("tls") / "certificates")


def receiver(tls: ServerTlsSettings | None) -> Receiver:
    grpc_settings = GrpcSettings(endpoint="127.0.0.1:0", tls=tls)
    settings = ReceiverSettings(protocols=ProtocolsSettings(grpc=grpc_settings))
    return Receiver(settings, {TRACE_SERVICE: traces(lambda _: 0)}, Telemetry(), admission=Door())


def tls(folder: Path, client_ca: bool = False) -> ServerTlsSettings:
    return ServerTlsSettings(
        cert_file=str(folder / "processor.crt"),
        key_file=str(folder / "processor.key"),
        client_ca_file=str(folder / "ca.crt") if client_ca else None,
    )


@pytest.fixture
def endpoint(certificates: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    started = receiver(tls(certificates, client_ca=getattr(request, "param", False)))
    yield started.start()
    started.stop(0)


def export(channel: grpc.Channel) -> grpc.StatusCode:
    call = channel.unary_unary(
        METHOD, ExportTraceServiceRequest.SerializeToString, ExportTraceServiceResponse.FromString
    )
    try:
        call(ExportTraceServiceRequest(), timeout=5)
    except grpc.RpcError as error:
        code: grpc.StatusCode = error.code()
        return code
    finally:
        channel.close()
    return grpc.StatusCode.OK


def test_a_sender_that_trusts_the_authority_gets_in(certificates: Path, endpoint: str) -> None:
    credentials = grpc.ssl_channel_credentials((certificates / "ca.crt").read_bytes())
    assert export(grpc.secure_channel(endpoint, credentials)) is grpc.StatusCode.OK


def test_plain_text_does_not_get_in(endpoint: str) -> None:
    assert export(grpc.insecure_channel(endpoint)) is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("endpoint", [True], indirect=True)
def test_where_certificates_are_asked_for_a_sender_needs_one(certificates: Path, endpoint: str) -> None:
    authority = (certificates / "ca.crt").read_bytes()
    without = grpc.ssl_channel_credentials(authority)
    own = ((certificates / "collector.key").read_bytes(), (certificates / "collector.crt").read_bytes())
    assert export(grpc.secure_channel(endpoint, without)) is grpc.StatusCode.UNAVAILABLE
    assert export(grpc.secure_channel(endpoint, grpc.ssl_channel_credentials(authority, *own))) is grpc.StatusCode.OK


def test_health_is_asked_over_tls_with_the_authority(certificates: Path, endpoint: str) -> None:
    trusting = CliRunner().invoke(health, ["--endpoint", endpoint, "--ca-file", str(certificates / "ca.crt")])
    plain = CliRunner().invoke(health, ["--endpoint", endpoint])
    assert (trusting.exit_code, plain.exit_code) == (0, 1)


@pytest.mark.parametrize("endpoint", [True], indirect=True)
def test_health_can_show_a_certificate(certificates: Path, endpoint: str) -> None:
    trusting = ["--endpoint", endpoint, "--ca-file", str(certificates / "ca.crt")]
    own = ["--cert-file", str(certificates / "processor.crt"), "--key-file", str(certificates / "processor.key")]
    assert CliRunner().invoke(health, trusting).exit_code == 1
    assert CliRunner().invoke(health, [*trusting, *own]).exit_code == 0
    assert CliRunner().invoke(health, [*trusting, *own, "--service", "alive"]).exit_code == 0
    assert "go together" in CliRunner().invoke(health, [*trusting, *own[:2]]).output


@pytest.mark.parametrize("setting", ["cert_file", "key_file", "client_ca_file"])
def test_a_file_that_is_missing_or_no_certificate_is_named_with_its_setting(
    certificates: Path, tmp_path: Path, setting: str
) -> None:
    good = tls(certificates, client_ca=True)
    (tmp_path / "text").write_text("not a certificate", encoding="utf-8")
    for name, problem in (("absent", "cannot be read"), ("text", "is not a PEM file")):
        file = str(tmp_path / name)
        bad = receiver(good.model_copy(update={setting: file}))
        with pytest.raises(PortError, match=rf"grpc\.tls\.{setting}: .*{problem}") as error:
            bad.start()
        assert file in str(error.value)


def test_a_key_that_belongs_to_another_certificate_is_said_as_that(certificates: Path) -> None:
    settings = tls(certificates).model_copy(update={"key_file": str(certificates / "jaeger.key")})
    with pytest.raises(PortError, match=r"grpc\.tls\.key_file: .*jaeger\.key is not the key of the certificate in"):
        receiver(settings).start()


def test_new_connections_get_the_certificate_that_is_there_then(certificates: Path, tmp_path: Path) -> None:
    for name in ("processor.crt", "processor.key"):
        copy(certificates / name, tmp_path / name)
    started = receiver(tls(tmp_path))
    host, _, port = started.start().rpartition(":")

    def served() -> str:
        return get_server_certificate((host, int(port)))

    try:
        assert served() == (certificates / "processor.crt").read_text()
        sleep(1.1)
        (tmp_path / "processor.key").write_bytes(b"half a ke")  # who writes it is not done: the one before stays
        assert served() == (certificates / "processor.crt").read_text()
        for name in ("crt", "key"):
            copy(certificates / f"jaeger.{name}", tmp_path / f"processor.{name}")
        sleep(1.1)
        assert served() == (certificates / "jaeger.crt").read_text()
    finally:
        started.stop(0)
