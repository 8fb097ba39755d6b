"""Reads recorded requests from the files of the Collector's file exporter."""

from __future__ import annotations

import gzip
from io import BufferedReader
from typing import TYPE_CHECKING, NamedTuple, cast

from milvus_otel_processor.replay.otlp_json import FormatError, from_json
from milvus_otel_processor.replay.zstd import MAGIC as ZSTD_MAGIC
from milvus_otel_processor.replay.zstd import ZstdError, ZstdFrames, inflate
from milvus_otel_processor.spans.schema import DecodeError, HeadView, RequestView

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import RawIOBase
    from pathlib import Path

_SIZE_BYTES = 4
_LARGEST_MESSAGE = 1 << 30  # a greater size is a sign of another format: no Collector writes a request of a gibibyte
_GZIP_MAGIC = b"\x1f\x8b"
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


def read(path: Path) -> Iterator[Message]:
    """Yield the requests in a file, in its order. Raises RecordingError, also for a file that cannot be read.

    Which of the file exporter's formats it is can be seen: `json` begins with a brace, `proto` with a size. With `compression:
    zstd` each message, of either format, is compressed behind its size; with the gate `exporter.file.nativeCompression` the
    file as a whole is, as it also is when `zstd` or `gzip` was used by hand.
    """
    try:
        with path.open("rb") as file:
            content = _inflated(file)
            is_json = content.peek(1).lstrip()[:1] == b"{"
            for data, place in _lines(content, path) if is_json else _sized(content, path):
                yield _message(data, place)
    except (OSError, EOFError, ZstdError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise RecordingError(f"{path}: cannot be read: {reason}") from None


def _inflated(file: BufferedReader) -> BufferedReader:
    start = file.peek(len(ZSTD_MAGIC))
    if start.startswith(_GZIP_MAGIC):
        return BufferedReader(cast("RawIOBase", gzip.open(file)))
    if start.startswith(ZSTD_MAGIC):
        return BufferedReader(ZstdFrames(file))
    return file


def _lines(content: BufferedReader, path: Path) -> Iterator[tuple[bytes, str]]:
    for number, line in enumerate(content, start=1):
        if not line.isspace():
            yield line.strip(), f"{path}:{number}"


def _sized(content: BufferedReader, path: Path) -> Iterator[tuple[bytes, str]]:
    offset = number = 0
    while head := content.read(_SIZE_BYTES):
        number += 1
        place = f"{path}: message {number} at byte {offset}"
        size = int.from_bytes(head, "big")
        if len(head) < _SIZE_BYTES or size > _LARGEST_MESSAGE:
            what = "is cut short" if len(head) < _SIZE_BYTES else f"would have {size} bytes"
            raise RecordingError(f"{place} {what}: {_EXPECTED}")
        data = content.read(size)
        if len(data) < size:
            raise RecordingError(
                f"{place} is cut short: it has {len(data)} of {size} bytes; {_EXPECTED}, and not while it still writes"
            )
        yield _decompressed(data, place), place
        offset += _SIZE_BYTES + size


def _decompressed(data: bytes, place: str) -> bytes:
    if not data.startswith(ZSTD_MAGIC):
        return data
    try:
        return inflate(data)
    except (ZstdError, EOFError) as error:
        raise RecordingError(f"{place} cannot be decompressed: {error}") from None


def _message(data: bytes, place: str) -> Message:
    try:
        request = from_json(data) if data.startswith(b"{") else data
        return Message(request, _latest_end(request), place)
    except (FormatError, DecodeError) as error:
        raise RecordingError(f"{place}: not an ExportTraceServiceRequest: {error}; {_EXPECTED}") from None


def _latest_end(request: bytes) -> int:
    latest = 0
    for resource_spans in RequestView.FromString(request).resource_spans:
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                latest = max(latest, _end(span))
    return latest


def _end(span: bytes) -> int:
    try:
        return HeadView.FromString(span).end_time_unix_nano
    except DecodeError:  # the processor takes it in as well, and finds out in its own time
        return 0
