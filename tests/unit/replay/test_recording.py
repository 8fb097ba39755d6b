from __future__ import annotations

import gzip
import re
from random import Random
from typing import TYPE_CHECKING

import pytest
import zstandard
from milvus_otel_processor.replay.left_out import LeftOut
from milvus_otel_processor.replay.recording import RecordingError, read
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, ResourceMetrics, ScopeMetrics
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.unit.replay.recordings import SECOND, START, request, sized, span

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FIRST = request(span(1, end=2), span(2, end=5), span(3, end=1))
SECOND_ONE = request(span(4, end=3, name="日本"))
JSON = (
    b"""{"resourceSpans":[{"resource":{},"scopeSpans":[{"scope":{},"spans":[
{"traceId":"00000000000000000000000000000001","spanId":"0000000000000002","name":"a","endTimeUnixNano":"%d"}
]}]}]}""".replace(b"\n", b"")
    % (START + SECOND)
)
FROM_JSON = request(span(1, end=2))


def compressed(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


def streamed(data: bytes) -> bytes:
    """Compress as a stream does, which does not know the size when it begins."""
    stream = zstandard.ZstdCompressor().compressobj()
    return stream.compress(data) + stream.flush()


def whole(data: bytes) -> bytes:
    return data


@pytest.mark.parametrize("file_as", [whole, gzip.compress, compressed, streamed])
@pytest.mark.parametrize("message_as", [whole, compressed, streamed])
def test_messages_behind_their_sizes_are_read_compressed_or_not(
    tmp_path: Path, file_as: Callable[[bytes], bytes], message_as: Callable[[bytes], bytes]
) -> None:
    file = tmp_path / "traces"
    file.write_bytes(file_as(sized(message_as(FIRST), message_as(SECOND_ONE))))
    assert [(message.request, message.latest_end) for message in read(file)] == [
        (FIRST, START + 5 * SECOND),
        (SECOND_ONE, START + 3 * SECOND),
    ]


@pytest.mark.parametrize("file_as", [whole, gzip.compress, compressed])
def test_json_lines_are_read_compressed_or_not(tmp_path: Path, file_as: Callable[[bytes], bytes]) -> None:
    file = tmp_path / "traces.json"
    file.write_bytes(file_as(JSON + b"\n\n" + JSON + b"\n"))
    messages = list(read(file))
    assert [message.latest_end for message in messages] == [START + SECOND] * 2
    assert [message.place for message in messages] == [f"{file}:1", f"{file}:3"]


def test_json_behind_its_size_is_read_as_the_exporter_writes_it_with_compression(tmp_path: Path) -> None:
    file = tmp_path / "traces"
    file.write_bytes(sized(compressed(JSON)))
    assert [message.latest_end for message in read(file)] == [START + SECOND]


def test_a_file_of_two_compressed_frames_is_read_to_the_end(tmp_path: Path) -> None:
    file = tmp_path / "traces.zst"
    file.write_bytes(compressed(sized(FIRST)) + compressed(sized(SECOND_ONE)))
    assert len(list(read(file))) == 2


def test_a_message_that_begins_like_json_behind_a_line_break_is_protobuf(tmp_path: Path) -> None:
    # Field 1 with a length of 123 is "\n{".
    message = next(
        tried for length in range(1, 100) if (tried := request(span(1, name="x" * length), service="a"))[1] == 123
    )
    assert message[:2] == b"\n{"
    file = tmp_path / "traces"
    file.write_bytes(sized(message))
    assert [read_.request for read_ in read(file)] == [message]


def test_an_empty_file_has_no_messages(tmp_path: Path) -> None:
    file = tmp_path / "traces"
    file.write_bytes(b"")
    assert list(read(file)) == []


def test_an_empty_message_and_a_span_without_times_have_no_end(tmp_path: Path) -> None:
    file = tmp_path / "traces"
    file.write_bytes(sized(b"", request()))
    assert [message.latest_end for message in read(file)] == [0, 0]


def test_a_span_that_is_no_protobuf_is_for_the_processor_to_find(tmp_path: Path) -> None:
    broken = FIRST[:-1] + b"\xff"
    file = tmp_path / "traces"
    file.write_bytes(sized(broken))
    assert [message.request for message in read(file)] == [broken]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"traces of yesterday", "message 1 at byte 0 would have 1953653091 bytes"),
        (
            b"# A heading, and a text",
            "message 1 at byte 0 would have 589316384 bytes: expected what the Collector's file",
        ),
        (
            b"2026/11/27 00:00:00.000 +00:00\tSearch",
            "with format proto or json; Milvus' access log goes with --access-log",
        ),
        (b"[2026/11/27 00:00:00.000 +00:00] [root]", "Milvus' access log goes with --access-log"),
        (sized(FIRST, b"\x0a\xff"), rf"message 2 at byte {4 + len(FIRST)}: not an ExportTraceServiceRequest"),
        (sized(compressed(FIRST)[:-5]), "message 1 at byte 0 cannot be decompressed: its zstd frame has no end"),
        (sized(compressed(FIRST)[:4] + b"\xff" * 30), "message 1 at byte 0 cannot be decompressed"),
        (JSON + b"\n{]\n", ":2: not an ExportTraceServiceRequest: not JSON"),
        (JSON[:-5] + b"\n" + JSON + b"\n", ":1: not an ExportTraceServiceRequest: not JSON"),
        (b'{"a":[]}\n', ":1: not an ExportTraceServiceRequest: holds a, expected only resourceSpans"),
    ],
)
def test_what_is_no_recording_is_refused_with_file_and_place(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "traces"
    file.write_bytes(content)
    with pytest.raises(RecordingError, match=said) as caught:
        list(read(file))
    assert str(caught.value).startswith(str(file))


METRICS = ExportMetricsServiceRequest(
    resource_metrics=[ResourceMetrics(scope_metrics=[ScopeMetrics(metrics=[Metric(name="m" * 16, unit="1")])])]
).SerializeToString()
LOGS = ExportLogsServiceRequest(
    resource_logs=[
        ResourceLogs(
            scope_logs=[ScopeLogs(log_records=[LogRecord(time_unix_nano=5, trace_id=b"t" * 16, severity_text="x")])]
        )
    ]
).SerializeToString()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (sized(FIRST, SECOND_ONE)[:-1], f"message 2 at byte {4 + len(FIRST)} is cut short: it has"),
        (sized(FIRST, SECOND_ONE)[: len(FIRST) + 6], f"message 2 at byte {4 + len(FIRST)} is cut short"),
        (sized(compressed(FIRST), compressed(SECOND_ONE))[:-1], "message 2 at byte"),
        (JSON + b"\n" + JSON[:-5], "line 2 is cut short"),
        (JSON + b"\n" + JSON[:30], "line 2 is cut short"),
        (JSON + b"\n" + '{"ä'.encode()[:-1], "line 2 is cut short"),
    ],
)
def test_of_a_file_that_is_still_being_written_what_is_whole_is_read(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "traces"
    file.write_bytes(content)
    left_out = LeftOut()
    assert len(list(read(file, left_out))) == 1
    (line,) = left_out.lines()
    assert line.startswith(f"{file}: {said}")
    assert "is left out, and what is in front of it was read" in line
    assert left_out.figures() == {"cut_short": 1, "other_signals": {}}


@pytest.mark.parametrize("compress", [gzip.compress, compressed])
def test_a_compressed_file_that_is_cut_short_is_read_as_far_as_it_goes(
    tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    random = Random(1)
    messages = [request(span(1, name=random.randbytes(2000).hex())) for _ in range(200)]
    file = tmp_path / "traces"
    whole_file = compress(sized(*messages))
    file.write_bytes(whole_file[: len(whole_file) // 2])
    left_out = LeftOut()
    assert 60 <= len(list(read(file, left_out))) <= 110
    assert [line for line in left_out.lines() if "is cut short" in line or "ends in the middle" in line]


def test_a_file_with_nothing_whole_in_it_has_no_messages_and_a_line_that_says_so(tmp_path: Path) -> None:
    file = tmp_path / "traces"
    for content in (sized(FIRST)[:3], JSON[:40], b"\n\ntraces", gzip.compress(sized(FIRST))[:-30]):
        file.write_bytes(content)
        left_out = LeftOut()
        assert list(read(file, left_out)) == []
        (line,) = left_out.lines()
        assert line.startswith(f"{file}: is no recording, or one that has only been begun: ")
        assert line.endswith("; expected what the Collector's file exporter writes with format proto or json")
        assert left_out.figures()["cut_short"] == 1


def test_requests_of_other_signals_are_left_out_and_counted(tmp_path: Path) -> None:
    file = tmp_path / "all.json"
    others = b'{"resourceMetrics":[]}\n{"resourceLogs":[{}]}\n{"resourceLogs":[]}\n{"resourceProfiles":[]}\n'
    file.write_bytes(others + JSON + b"\n" + others)
    left_out = LeftOut()
    assert len(list(read(file, left_out))) == 1
    assert list(left_out.lines()) == [
        f"{file}: 2 requests with metrics left out: a replay reads only traces",
        f"{file}: 4 requests with logs left out: a replay reads only traces",
        f"{file}: 2 requests with profiles left out: a replay reads only traces",
    ]
    assert left_out.figures() == {"cut_short": 0, "other_signals": {"metrics": 2, "logs": 4, "profiles": 2}}


def test_requests_of_other_signals_are_known_in_protobuf_too(tmp_path: Path) -> None:
    file = tmp_path / "all"
    file.write_bytes(sized(METRICS, FIRST, LOGS, SECOND_ONE))
    left_out = LeftOut()
    assert [message.request for message in read(file, left_out)] == [FIRST, SECOND_ONE]
    assert left_out.figures()["other_signals"] == {"metrics or logs": 2}


def test_spans_whose_ids_are_not_valid_are_still_spans(tmp_path: Path) -> None:
    file = tmp_path / "traces"
    without = request(Span(trace_id=b"short", span_id=b"\1" * 8, name="a"))
    file.write_bytes(sized(without))
    assert [message.request for message in read(file)] == [without]


def test_old_otlp_is_read_and_named(tmp_path: Path) -> None:
    file = tmp_path / "old.json"
    old = JSON.replace(b"scopeSpans", b"instrumentationLibrarySpans").replace(b'"scope"', b'"instrumentationLibrary"')
    file.write_bytes(old + b"\n" + JSON + b"\n")
    left_out = LeftOut()
    first, second = read(file, left_out)
    assert first.request == second.request
    assert list(left_out.lines()) == [
        f"{file}: 1 request in the OTLP of before 0.15, with instrumentationLibrarySpans, which are read as scopeSpans"
    ]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    file = tmp_path / "traces"
    with pytest.raises(RecordingError, match=f"^{re.escape(str(file))}: cannot be read: No such file"):
        list(read(file))
