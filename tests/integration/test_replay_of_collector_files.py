"""Files that the real Collector's file exporter wrote, in each of its formats, replayed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from click.testing import CliRunner
from milvus_otel_processor.cli import main
from milvus_otel_processor.replay.recording import read
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.peers.collector import collector
from tests.peers.process import free_port
from tests.support.recordings import MIXES, of_all_versions
from tests.support.wire import spans_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
FORMATS = {
    "json": {"format": "json"},
    "proto": {"format": "proto"},
    "json-zstd": {"format": "json", "compression": "zstd"},
    "proto-zstd": {"format": "proto", "compression": "zstd"},
}
WHOLE_FILES = ["--feature-gates=exporter.file.nativeCompression"]


def record(folder: Path, arguments: list[str]) -> dict[str, Path]:
    """Send the recorded traffic through a Collector that writes it in every format, until all is written."""
    port = free_port()
    files = {name: folder / name for name in FORMATS}
    exporters = {f"file/{name}": {"path": str(files[name]), **FORMATS[name]} for name in FORMATS}
    settings: dict[str, Any] = {
        "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": f"127.0.0.1:{port}", "max_recv_msg_size_mib": 64}}}},
        "exporters": exporters,
        "service": {"pipelines": {"traces": {"receivers": ["otlp"], "exporters": list(exporters)}}},
    }
    with (
        collector(json.dumps(settings), folder, arguments=arguments),
        grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        export = channel.unary_unary(EXPORT)
        for request in of_all_versions():
            export(request, timeout=30, wait_for_ready=True)
    return files


@pytest.mark.parametrize("arguments", [[], WHOLE_FILES], ids=["each-message-compressed", "whole-file-compressed"])
def test_every_file_of_the_collector_is_read_whole_and_decided_alike(tmp_path: Path, arguments: list[str]) -> None:
    files = record(tmp_path, arguments)
    sent = spans_by_id(of_all_versions())
    answers = []
    for name, file in files.items():
        assert spans_by_id(message.request for message in read(file)) == sent, name
        result = CliRunner().invoke(main, ["replay", str(file), "--format", "json"])
        assert result.exit_code == 0, result.stderr
        answers.append(comparable(json.loads(result.stdout)))
    assert answers[0]["received"] == {
        "traces": sum(mix.traces for mix in MIXES),
        "spans": sum(mix.spans for mix in MIXES),
    }
    assert all(answer == answers[0] for answer in answers)


def comparable(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer without what differs from run to run, and without bytes, which a span has fewer of when it was JSON meanwhile."""
    for part in (answer, *answer["policies"]):
        part.pop("per_day", None)
        part.pop("cpu_seconds", None)
    return answer


def spans_by_id(requests: Iterable[bytes]) -> dict[tuple[bytes, bytes], Span]:
    spans = [Span.FromString(one) for request in requests for one in spans_of(request)]
    for span in spans:
        span.status.SetInParent()  # the Collector writes an empty one where there was none
    found = {(span.trace_id, span.span_id): span for span in spans}
    assert len(found) == len(spans) == sum(mix.spans for mix in MIXES)
    return found
