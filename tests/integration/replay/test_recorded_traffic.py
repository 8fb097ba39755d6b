"""The recorded traffic of a real Milvus, replayed by the built-in rules, in every form that a file can have."""

from __future__ import annotations

import gzip
import json
import lzma
from base64 import b64decode
from typing import TYPE_CHECKING, Any

import pytest
import zstandard
from click.testing import CliRunner
from google.protobuf.json_format import MessageToDict
from milvus_otel_processor.cli import main
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.recordings import DATA, MIXES, Recording
from tests.unit.replay.recordings import sized, spans_in, unsized

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

every_version = pytest.mark.parametrize("recording", MIXES, ids=str)


def replayed(file: Path, *arguments: str) -> dict[str, Any]:
    result = CliRunner().invoke(main, ["replay", str(file), "--format", "json", *arguments])
    assert result.exit_code == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    for row in document["policies"]:
        assert row.pop("cpu_seconds", 0.0) is None or "--no-votes" not in arguments
    return document


def as_json_lines(recording: bytes) -> bytes:
    lines = []
    for request in unsized(recording):
        document = MessageToDict(request, use_integers_for_enums=True)
        for resource_spans in document["resourceSpans"]:
            for scope_spans in resource_spans["scopeSpans"]:
                for span in scope_spans["spans"]:
                    for key in ("traceId", "spanId", "parentSpanId"):
                        if key in span:
                            span[key] = b64decode(span[key]).hex()
        lines.append(json.dumps(document))
    return "\n".join(lines).encode()


def as_compressed_messages(recording: bytes) -> bytes:
    frames = [zstandard.compress(request.SerializeToString()) for request in unsized(recording)]
    return b"".join(len(frame).to_bytes(4, "big") + frame for frame in frames)


@every_version
def test_every_trace_and_every_span_of_it_is_counted(recording: Recording) -> None:
    document = replayed(recording.path)
    assert document["received"] == {"traces": recording.traces, "spans": recording.spans}
    decided = sum(row["spans"] for row in document["policies"])
    assert decided + sum(document["late_spans"].values()) == recording.spans
    assert sum(row["traces"] for row in document["policies"]) == recording.traces
    assert document["lost_spans"] == document["refused_spans"] == {}
    assert (
        document["kept"]["spans"]
        == sum(row["spans"] for row in document["policies"] if row["decision"] == "sampled")
        + document["late_spans"]["sampled"]
    )


@pytest.mark.parametrize(
    ("recording", "form"),
    [
        *((mix, as_json_lines) for mix in MIXES),
        *((MIXES[0], form) for form in (as_compressed_messages, gzip.compress, zstandard.compress, lzma.compress)),
    ],
    ids=lambda value: value.__name__ if callable(value) else str(value),
)
def test_every_form_of_a_recording_gives_the_same_figures(
    tmp_path: Path, recording: Recording, form: Callable[[bytes], bytes]
) -> None:
    file = tmp_path / "recording"
    file.write_bytes(form(sized(*recording.requests)))
    assert replayed(file) == replayed(recording.path)


@every_version
def test_with_a_rule_that_keeps_everything_every_span_is_written_once(tmp_path: Path, recording: Recording) -> None:
    kept = tmp_path / "kept"
    rule = "processors.tail_sampling.policies=[{name: all, type: always_sample}]"
    assert replayed(recording.path, "--set", rule, "--out", str(kept))["kept"]["spans"] == recording.spans
    sent = tmp_path / "sent"
    sent.write_bytes(sized(*recording.requests))

    def ids(file: Path) -> list[tuple[bytes, bytes]]:
        return sorted((span.trace_id, span.span_id) for span in spans_in(file))

    assert ids(kept) == ids(sent)


@every_version
def test_what_is_written_is_a_recording_again(tmp_path: Path, recording: Recording) -> None:
    kept = tmp_path / "kept"
    first = replayed(recording.path, "--out", str(kept))
    again = replayed(kept)
    assert again["received"] == {"traces": first["kept"]["traces"], "spans": first["kept"]["spans"]}
    assert all(
        ExportTraceServiceRequest.FromString(one.SerializeToString()) == one for one in unsized(kept.read_bytes())
    )


WITH_LOGS = [("2.6.16", "deadlines"), ("2.6.16", "python-async"), ("2.5.24", "authorization"), ("3.0", "rest")]


@pytest.mark.parametrize(("version", "name"), WITH_LOGS)
def test_to_count_votes_changes_no_decision_also_where_the_access_log_makes_errors(version: str, name: str) -> None:
    """Counting enriches every trace; the processor only those that it keeps, or that may have failed."""
    folder = DATA / f"milvus-{version}"
    file, log = folder / f"{name}.binpb.xz", folder / f"{name}.access.log.xz"
    decided = [
        [(row["policy"], row["decision"], row["traces"], row["spans"]) for row in document["policies"]]
        for document in (replayed(file, "--access-log", str(log), option) for option in ("--votes", "--no-votes"))
    ]
    assert decided[0] == decided[1]
