"""A real Milvus starts, several at once if need be, and what keeps it from starting is told."""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING

import pytest
from milvus_otel_processor.demo import wheel
from milvus_otel_processor.demo.errors import MilvusStartError, MilvusStoppedError, MilvusUnavailableError
from milvus_otel_processor.demo.milvus import EmbeddedMilvus, MilvusSettings
from milvus_otel_processor.enrichment.access_log.line import parse
from pymilvus import MilvusClient, MilvusException

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.usefixtures("real_milvus")
def test_two_run_at_once_and_leave_nothing_behind() -> None:
    with EmbeddedMilvus() as one, EmbeddedMilvus() as other:
        for milvus in (one, other):
            client = MilvusClient(milvus.uri)
            client.create_collection("articles", dimension=4)
            client.insert("articles", [{"id": 1, "vector": [0.1, 0.2, 0.3, 0.4]}])
            assert client.get_collection_stats("articles")
            client.close()
        folders = [one.folder, other.folder]
    assert not any(folder.exists() for folder in folders)


@pytest.mark.usefixtures("real_milvus")
def test_one_starts_on_a_port_that_another_server_has_just_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            server.accept()[0].close()  # the server's side closes first, and so is in TIME_WAIT for a minute
            assert client.recv(1) == b""
    with EmbeddedMilvus(MilvusSettings(proxy_port=port)) as milvus:
        assert milvus.uri == f"http://127.0.0.1:{port}"


@pytest.mark.usefixtures("real_milvus")
def test_each_line_of_the_access_log_has_the_fields_of_our_format() -> None:
    with EmbeddedMilvus(MilvusSettings(sample_fraction=0)) as milvus:
        client = MilvusClient(milvus.uri)
        client.has_collection("articles")
        client.close()
        lines = milvus.access_log.read_text(encoding="utf-8").splitlines()
    requests = [parse(line) for line in lines]
    described = [request for request in requests if request is not None and request.method == "DescribeCollection"]
    assert [request.facts.collection for request in described] == ["articles"]
    assert described[0].trace_id is not None


@pytest.mark.usefixtures("real_milvus")
def test_with_authorization_only_a_known_user_gets_in() -> None:
    with EmbeddedMilvus(MilvusSettings(authorization=True)) as milvus:
        client = MilvusClient(milvus.uri, user="root", password="Milvus")
        assert client.list_collections() == []
        client.close()
        with pytest.raises(MilvusException):
            MilvusClient(milvus.uri, user="root", password="wrong").list_collections()


@pytest.mark.usefixtures("real_milvus")
def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(MilvusStartError, match=f"port {port} on 127.0.0.1 is taken"):
            EmbeddedMilvus(MilvusSettings(proxy_port=port), tmp_path).start()


@pytest.mark.usefixtures("real_milvus")
def test_a_milvus_that_ends_while_starting_shows_the_end_of_its_log() -> None:
    broken = MilvusSettings(overrides={"proxy": {"accessLog": {"cacheSize": -1, "formatters": {"base": 1}}}})
    with pytest.raises(MilvusStoppedError, match=r"from its log:\npanic: initialize access logger"):
        EmbeddedMilvus(broken).start()


@pytest.mark.usefixtures("real_milvus")
def test_a_milvus_that_is_not_healthy_in_time_is_given_up() -> None:
    milvus = EmbeddedMilvus(deadline_seconds=0)
    with pytest.raises(MilvusStartError, match="not healthy within 0 s"):
        milvus.start()
    assert not milvus.folder.exists()


@pytest.mark.parametrize(
    ("system", "machine", "way"),
    [
        ("Linux", "x86_64", "pip install ./client './processor[demo]'"),
        ("Linux", "aarch64", "docker compose up --wait"),
        ("Darwin", "x86_64", "docker compose up --wait"),
    ],
)
def test_without_the_wheel_the_way_on_is_told(
    monkeypatch: pytest.MonkeyPatch, system: str, machine: str, way: str
) -> None:
    monkeypatch.setattr(wheel, "find_spec", lambda _: None)
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    with pytest.raises(MilvusUnavailableError, match=re.escape(way)):
        EmbeddedMilvus().start()


@pytest.mark.usefixtures("real_milvus")
def test_an_unpacking_that_was_cut_short_is_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked: list[str] = []

    def unpack(_: Path, target: Path) -> None:
        unpacked.append(target.name)
        assert not list(target.iterdir())
        (target / "milvus").write_text("binary")
        if len(unpacked) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(wheel, "_unpack_all", unpack)
    with pytest.raises(KeyboardInterrupt):
        wheel.unpack(tmp_path)
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]
    folder = wheel.unpack(tmp_path)
    assert wheel.unpack(tmp_path) == folder
    assert len(unpacked) == 2
    assert [path.name for path in folder.iterdir()] == ["milvus"]


@pytest.mark.usefixtures("real_milvus")
def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MilvusUnavailableError, match=r"cannot unpack Milvus into .*/file/cache: .* XDG_CACHE_HOME"):
        wheel.unpack(tmp_path / "file" / "cache")
