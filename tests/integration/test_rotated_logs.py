"""The files in which a Collector keeps logs: when they are full, and how a record is found in them, whatever their format."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
from click.testing import CliRunner
from milvus_otel_processor.cli import main
from ruamel.yaml import YAML

from tests.peers.collector import collector
from tests.peers.process import free_port
from tests.peers.waiting import wait_until
from tests.support.log_records import LOGS_METHOD, logs_request, record
from tests.support.spans import trace_id

if TYPE_CHECKING:
    from collections.abc import Iterator

STACK = Path(__file__).parents[2] / "collector" / "config.yaml"
MEBIBYTE = 1 << 20


def stacks_exporter(path: Path) -> dict[str, Any]:
    """What keeps the logs of applications, in files of a MiB."""
    settings: dict[str, Any] = YAML(typ="safe").load(STACK)["exporters"]["file"]
    assert settings["rotation"]["max_megabytes"] == 64
    return {"path": str(path), "rotation": {**settings["rotation"], "max_megabytes": 1}}


@contextmanager
def sending_to(exporter: dict[str, Any], folder: Path) -> Iterator[grpc.UnaryUnaryMultiCallable[bytes, bytes]]:
    """What sends to a Collector with this file exporter."""
    port = free_port()
    settings = {
        "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": f"127.0.0.1:{port}"}}}},
        "exporters": {"file": exporter},
        "service": {"pipelines": {"logs": {"receivers": ["otlp"], "exporters": ["file"]}}},
    }
    with collector(json.dumps(settings), folder), grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel.unary_unary(LOGS_METHOD)


def found(number: int, folder: Path) -> list[str]:
    """The bodies of the records of this trace."""
    said = CliRunner().invoke(main, ["logs", trace_id(number).hex(), str(folder), "--format", "json"])
    return [one["body"] for one in json.loads(said.stdout)["records"]] if said.exit_code == 0 else []


def test_full_files_are_kept_up_to_a_number_and_records_in_them_are_found(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    filling = "x" * (MEBIBYTE // 4)
    with sending_to(stacks_exporter(folder / "logs.jsonl"), tmp_path) as send:
        for number in range(1, 10):  # three of them fill a file
            send(logs_request(record(number, "short"), record(number, filling)), timeout=30, wait_for_ready=True)
        assert all(found(number, folder) == ["short", filling] for number in range(1, 10))
        for number in range(10, 25):
            send(logs_request(record(number, "short"), record(number, filling)), timeout=30)
        wait_until(lambda: len(list(folder.iterdir())) == 5, "the oldest files to be gone", 60)
    files = {file.name: file.stat().st_size for file in folder.iterdir()}
    assert "logs.jsonl" in files
    assert max(files.values()) <= MEBIBYTE
    assert found(1, folder) == []
    assert found(24, folder) == ["short", filling]


def test_what_the_collector_compresses_is_read_and_what_it_writes_as_protobuf_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    file = tmp_path / "logs" / "logs.json"
    for settings in ({"compression": "zstd"}, {"format": "proto"}):
        with sending_to({"path": str(file), **settings}, tmp_path) as send:
            for number in (1, 2):
                send(logs_request(record(number, f"record {number}")), timeout=30, wait_for_ready=True)
        if "format" not in settings:
            assert [found(number, file.parent) for number in (1, 2, 3)] == [["record 1"], ["record 2"], []]
    said = CliRunner().invoke(main, ["logs", trace_id(1).hex(), str(file)])
    assert (said.exit_code, said.stdout) == (1, "")
    expected = "not JSON; expected what the Collector's file exporter writes with format json\n"
    assert said.stderr == f"{file}: message 1 at byte 0: {expected}"
