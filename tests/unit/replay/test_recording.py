from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING

import pytest
import zstandard
from milvus_otel_processor.replay.recording import RecordingError, read

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
        (
            sized(FIRST) + sized(SECOND_ONE)[:-1],
            rf"message 2 at byte {4 + len(FIRST)} is cut short: it has \d+ of \d+ b",
        ),
        (sized(FIRST)[:3], "message 1 at byte 0 is cut short"),
        (b"traces of yesterday", "message 1 at byte 0 would have 1953653091 bytes"),
        (sized(FIRST, b"\x0a\xff"), rf"message 2 at byte {4 + len(FIRST)}: not an ExportTraceServiceRequest"),
        (sized(compressed(FIRST)[:-5]), "message 1 at byte 0 cannot be decompressed: its zstd frame has no end"),
        (sized(compressed(FIRST)[:4] + b"\xff" * 30), "message 1 at byte 0 cannot be decompressed"),
        (JSON + b"\n{]\n", ":2: not an ExportTraceServiceRequest: not JSON"),
        (b'{"resourceLogs":[]}\n', ":1: not an ExportTraceServiceRequest: holds resourceLogs, expected resourceSpans"),
        (gzip.compress(sized(FIRST))[:-9], "cannot be read: "),
        (compressed(sized(FIRST))[:-9], "cannot be read: its zstd frame has no end"),
    ],
)
def test_what_is_no_recording_is_refused_with_file_and_place(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "traces"
    file.write_bytes(content)
    with pytest.raises(RecordingError, match=said) as caught:
        list(read(file))
    assert str(caught.value).startswith(str(file))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    file = tmp_path / "traces"
    with pytest.raises(RecordingError, match=f"^{re.escape(str(file))}: cannot be read: No such file"):
        list(read(file))
