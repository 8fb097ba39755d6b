"""The TLS overlay: who has the certificate and the token gets in, nobody else does, and traces still arrive whole."""

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.peers.jaeger import attributes_of
from tests.peers.waiting import wait_until
from tests.stack.certificates import make_certificates
from tests.stack.conftest import Stack
from tests.stack.load import SERVICE, export, failed_request, heartbeat
from tests.stack.logs import bodies, export_logs, log_records

ENDPOINT = "localhost:4317"
TOKEN = secrets.token_hex(32)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificates(tmp_path_factory.mktemp("tls") / "certificates")


@pytest.fixture(scope="module")
def overlays(project: Path) -> Sequence[str]:
    """TLS, with sampled logs; and Milvus runs as the user of its image of 3.0, so that this needs no stack of its own."""
    as_3_0 = project / "compose" / "as-3.0.yaml"
    as_3_0.write_text('services: {milvus: {user: "999:999"}}', encoding="utf-8")
    return ("compose/compose.tls.yaml", "compose/compose.logs.yaml", "compose/as-3.0.yaml")


@pytest.fixture(scope="module")
def environment(certificates: Path) -> Mapping[str, str]:
    return {"COLLECTOR_TOKEN": TOKEN, "TLS_FOLDER": str(certificates)}


@pytest.fixture
def credentials(certificates: Path) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials((certificates / "ca.crt").read_bytes())


def test_the_right_token_over_tls_brings_a_trace_to_jaeger(stack: Stack, credentials: grpc.ChannelCredentials):
    trace_id = secrets.token_bytes(16)
    with grpc.secure_channel(ENDPOINT, credentials) as channel:
        export(channel, failed_request(trace_id), TOKEN)
    wait_until(lambda: trace_id.hex() in stack.jaeger.traces(SERVICE), "the trace in Jaeger", 40, 0.5)


def test_logs_go_to_the_processor_and_come_back_over_tls(stack: Stack, credentials: grpc.ChannelCredentials):
    kept, dropped = secrets.token_bytes(16), secrets.token_bytes(16)
    with grpc.secure_channel(ENDPOINT, credentials) as channel:
        export(channel, failed_request(kept), TOKEN)
        export(channel, heartbeat(dropped), TOKEN)
        export_logs(channel, (kept, "of a kept trace"), (dropped, "of a dropped one"), token=TOKEN)
    wait_until(lambda: "of a kept trace" in bodies(log_records(stack)), "the log of the kept trace", 40, 2.0)
    assert "of a dropped one" not in bodies(log_records(stack))


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize(
    "token", [None, "", "wrong", TOKEN[:-1], TOKEN.upper()], ids=["none", "empty", "wrong", "cut short", "upper case"]
)
def test_a_wrong_token_is_refused(credentials: grpc.ChannelCredentials, token: str | None):
    with (
        grpc.secure_channel(ENDPOINT, credentials) as channel,
        pytest.raises(grpc.RpcError) as refused,
    ):
        export(channel, failed_request(secrets.token_bytes(16)), token)
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.usefixtures("stack")
def test_plain_text_is_refused():
    with grpc.insecure_channel(ENDPOINT) as channel, pytest.raises(grpc.RpcError) as refused:
        export(channel, failed_request(secrets.token_bytes(16)), TOKEN)
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.usefixtures("stack")
def test_an_application_that_does_not_know_the_authority_sends_nothing(tmp_path: Path):
    other = grpc.ssl_channel_credentials((make_certificates(tmp_path / "other") / "ca.crt").read_bytes())
    with grpc.secure_channel(ENDPOINT, other) as channel, pytest.raises(grpc.RpcError) as refused:
        export(channel, failed_request(secrets.token_bytes(16)), TOKEN)
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("part", ["processor:4317", "jaeger:4317"])
def test_behind_the_door_plain_text_is_refused_too(stack: Stack, part: str):
    ask = f"import urllib.request; urllib.request.urlopen('http://{part}', timeout=5)"
    with pytest.raises(RuntimeError, match=r"HTTP/1\.[01] 400|BadStatusLine|RemoteDisconnected|ConnectionReset"):
        stack.compose("exec", "-T", "processor", "python", "-c", ask)


def test_milvus_as_the_user_of_its_3_0_image_writes_to_the_volumes(stack: Stack):
    said = stack.compose(
        "exec", "-T", "milvus", "sh", "-c", "id -u; ls -d /var/lib/milvus/etcd /var/log/milvus/access.log"
    )
    assert said.split() == ["999", "/var/lib/milvus/etcd", "/var/log/milvus/access.log"]


def test_milvus_and_an_application_send_their_parts_of_a_trace_over_tls(stack: Stack):
    stack.compose("--profile", "demo", "run", "--rm", "demo")

    def of_both() -> list[list[dict[str, Any]]]:
        # Not `segcore`: the C++ core of the Milvus in the stand-in, 2.3.5, cannot send over TLS.
        services = {"demo-shop", "standalone"}
        return [
            one for one in stack.jaeger.traces("standalone").values() if {span["service"] for span in one} == services
        ]

    for spans in wait_until(of_both, "a trace with spans of both in Jaeger", 40, 0.5):
        assert all("db.operation.name" in attributes_of(span) for span in spans if span["service"] == "standalone")
