"""Reads recorded requests from the files of the Collector's file exporter."""

from __future__ import annotations

import gzip
import lzma
from io import BufferedReader
from typing import TYPE_CHECKING, NamedTuple, cast

from milvus_otel_processor.replay.left_out import LeftOut
from milvus_otel_processor.replay.otlp_json import CutShortError, FormatError, OtherSignalError, from_json
from milvus_otel_processor.replay.zstd import MAGIC as ZSTD_MAGIC
from milvus_otel_processor.replay.zstd import ZstdError, ZstdFrames, inflate
from milvus_otel_processor.spans.schema import DecodeError, HeadView, RequestView

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import RawIOBase
    from pathlib import Path

    from milvus_otel_processor.spans.schema import Head

_SIZE_BYTES = 4
_TRACE_ID_BYTES, _SPAN_ID_BYTES = 16, 8
_LARGEST_MESSAGE = (
    1 << 29
)  # a greater size is a sign of another format, such as a text: no Collector writes such a request
_LINE_OF_ACCESS_LOG = (b"20", b"[20")  # the year, in our format or in one of Milvus' own
_OF_ACCESS_LOG = "; Milvus' access log goes with --access-log"
_GZIP_MAGIC = b"\x1f\x8b"
_XZ_MAGIC = b"\xfd7zXZ\x00"
_EXPECTED = "expected what the Collector's file exporter writes with format proto or json"


class RecordingError(Exception):
    """A file is no recording, or not a whole one; the message says which, where in it, and what was expected."""


class Message(NamedTuple):
    """One recorded request."""

    request: bytes
    """A serialized ExportTraceServiceRequest, or ExportLogsServiceRequest."""
    latest_end: int
    """The latest end of its spans, nanoseconds since 1970; 0 where it has none."""
    place: str
    """The file, and where in it: for what is said of the message."""
    is_access_log: bool = False
    """Whether it holds lines of the access log, and no spans."""


class UnfinishedError(Exception):
    """A file ends within a message; the message says what there is of it."""


def read(path: Path, left_out: LeftOut | None = None) -> Iterator[Message]:
    """Yield the requests with spans in a file, in its order. Raises RecordingError, also for a file that cannot be read.

    Which of the file exporter's formats it is can be seen: `json` begins with a brace, `proto` with a size. With `compression:
    zstd` each message, of either format, is compressed behind its size; with the gate `exporter.file.nativeCompression` the
    file as a whole is, as it also is when `zstd`, `gzip` or `xz` was used by hand. What is not yielded is counted in `left_out`:
    the last message of a file that is still being written, and requests of other signals.
    """
    left_out = left_out if left_out is not None else LeftOut()
    is_any_whole = False
    try:
        with path.open("rb") as file:
            content = inflated(file)
            is_access_log = content.peek(_SIZE_BYTES).startswith(_LINE_OF_ACCESS_LOG)
            for data, place in messages(content, path, _EXPECTED + (_OF_ACCESS_LOG if is_access_log else "")):
                message = _message(data, place, path, left_out)
                is_any_whole = True
                if message is not None:
                    yield message
    except (UnfinishedError, EOFError) as error:
        what = str(error) if isinstance(error, UnfinishedError) else "the compressed file ends in the middle"
        if is_any_whole:
            left_out.cut_short[str(path)] = what
        else:
            left_out.none_whole[str(path)] = f"{what}; {_EXPECTED}"
    except (OSError, ZstdError, lzma.LZMAError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise RecordingError(f"{path}: cannot be read: {reason}") from None


def inflated(file: BufferedReader) -> BufferedReader:
    """Return what the file holds, decompressed where it is compressed."""
    start = file.peek(len(ZSTD_MAGIC))
    if start.startswith(_GZIP_MAGIC):
        return BufferedReader(cast("RawIOBase", gzip.open(file)))
    if start.startswith(ZSTD_MAGIC):
        return BufferedReader(ZstdFrames(file))
    if start.startswith(_XZ_MAGIC):
        return BufferedReader(cast("RawIOBase", lzma.open(file)))
    return file


def messages(content: BufferedReader, path: Path, expected: str) -> Iterator[tuple[bytes, str]]:
    """Yield each message of a file, and where it stands, see `read`. Raises RecordingError and UnfinishedError.

    `expected` is what to say of a file that is something else.
    """
    is_json = content.peek(1).lstrip()[:1] == b"{"
    return _lines(content, path) if is_json else _sized(content, path, expected)


def _lines(content: BufferedReader, path: Path) -> Iterator[tuple[bytes, str]]:
    for number, line in enumerate(content, start=1):
        if not line.isspace():
            yield line, f"{path}:{number}"


def _sized(content: BufferedReader, path: Path, expected: str) -> Iterator[tuple[bytes, str]]:
    offset = number = 0
    while head := content.read(_SIZE_BYTES):
        number += 1
        which = f"message {number} at byte {offset}"
        size = int.from_bytes(head, "big")
        if len(head) < _SIZE_BYTES:
            raise UnfinishedError(f"{which} is cut short")
        if size > _LARGEST_MESSAGE:
            raise RecordingError(f"{path}: {which} would have {size} bytes: {expected}")
        data = content.read(size)
        if len(data) < size:
            raise UnfinishedError(f"{which} is cut short: it has {len(data)} of {size} bytes")
        yield _decompressed(data, f"{path}: {which}"), f"{path}: {which}"
        offset += _SIZE_BYTES + size


def _decompressed(data: bytes, place: str) -> bytes:
    if not data.startswith(ZSTD_MAGIC):
        return data
    try:
        return inflate(data)
    except (ZstdError, EOFError) as error:
        raise RecordingError(f"{place} cannot be decompressed: {error}") from None


def _message(data: bytes, place: str, path: Path, left_out: LeftOut) -> Message | None:
    """Return the request; None where it is one of another signal, or at the end of the file and cut short."""
    try:
        if data.startswith(b"{"):
            request, is_old = from_json(data)
            if is_old:
                left_out.old[str(path)] += 1
        else:
            request = data
        latest_end, is_of_traces = _look_at(request)
    except OtherSignalError as error:
        left_out.other_signals[str(path), error.signal] += 1
        return None
    except CutShortError as error:
        if data.endswith(b"\n"):  # more lines follow, or this one was written to its end
            raise RecordingError(f"{place}: not an ExportTraceServiceRequest: {error}; {_EXPECTED}") from None
        raise UnfinishedError(f"line {place.rpartition(':')[2]} is cut short") from None
    except (FormatError, DecodeError) as error:
        raise RecordingError(f"{place}: not an ExportTraceServiceRequest: {error}; {_EXPECTED}") from None
    if not is_of_traces:
        left_out.other_signals[str(path), "metrics or logs"] += 1
        return None
    return Message(request, latest_end, place)


def _look_at(request: bytes) -> tuple[int, bool]:
    """Return the latest end of a request's spans, and whether it is one of traces.

    Requests of all signals look alike in protobuf but for what is in their innermost messages: only a span begins with an id of
    16 bytes and one of 8. Where none does, though there is something, it is a request of metrics or logs.
    """
    latest, spans, is_of_traces = 0, 0, False
    for resource_spans in RequestView.FromString(request).resource_spans:
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                spans += 1
                try:
                    head = HeadView.FromString(span)
                except DecodeError:  # the processor takes it in as well, and finds out in its own time
                    is_of_traces = True
                    continue
                latest = max(latest, head.end_time_unix_nano)
                is_of_traces = is_of_traces or _has_ids(head)
    return latest, is_of_traces or not spans


def _has_ids(head: Head) -> bool:
    # A metric begins with its name and description: texts, where a span has its ids.
    is_name = head.trace_id.isascii() and head.trace_id.decode("ascii").isprintable()
    return len(head.span_id) == _SPAN_ID_BYTES or (len(head.trace_id) == _TRACE_ID_BYTES and not is_name)
