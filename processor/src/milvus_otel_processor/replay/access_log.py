"""Reads a file of Milvus' access log, for the requests in a recording that only it knows the collection of."""

from __future__ import annotations

from functools import partial
from io import TextIOWrapper
from itertools import groupby
from lzma import LZMAError
from typing import TYPE_CHECKING

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs

from milvus_otel_processor.enrichment.access_log.line import LINE_START, parse, split
from milvus_otel_processor.replay.recording import Message, RecordingError, inflated
from milvus_otel_processor.replay.zstd import ZstdError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_LONGEST = 256 << 10
"""Characters of a line, with what goes on with it; the Collector's is as long in bytes."""


def read_access_log(path: Path) -> Iterator[Message]:
    """Yield the lines of the file, compressed or not, as a Collector would send them, at the time when their requests ended.

    What begins otherwise than with a time goes on with the line before it: an error's message may have several lines. Lines of one
    millisecond come together: their order in the file, which tells which was written first, would be lost otherwise. A line that is
    not of our format is yielded too, at the time of the one before it: to count it is the processor's business.
    Raises RecordingError where the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            content = TextIOWrapper(inflated(file), encoding="utf-8", errors="replace", newline="\n")
            for (end, _), lines in groupby(_joined(iter(partial(content.readline, _LONGEST), "")), key=_moment):
                numbers, texts = zip(*lines, strict=True)
                yield Message(_request(texts), end, f"{path}:{numbers[0]}", is_access_log=True)
    except (OSError, EOFError, ZstdError, LZMAError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise RecordingError(f"{path}: cannot be read: {reason}") from None


def _joined(pieces: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Yield each line with all that goes on with it, and the number of its first.

    It is what the stack's Collector does (collector/config.yaml, `multiline` and `max_log_size`). What stands in front of all lines
    goes on with nothing.
    """
    number, first = 1, 1
    held: list[str] = []
    size, has_begun = 0, False
    for piece in pieces:
        begins = LINE_START.match(piece) is not None
        if held and (begins or not has_begun or size + len(piece) > _LONGEST):
            yield first, "".join(held)
            held, size, first = [], 0, number
        has_begun = has_begun or begins
        held.append(piece)
        size += len(piece)
        number += piece.endswith("\n")
    if held:
        yield first, "".join(held)


def _moment(numbered: tuple[int, str]) -> tuple[int, int]:
    """Return when a line was written, and what sets one that does not tell apart from its neighbours."""
    number, text = numbered
    line = parse(split(text)[0])
    return (line.end, 0) if line is not None else (0, number)


def _request(texts: Iterable[str]) -> bytes:
    records = [LogRecord(body=AnyValue(string_value=text.rstrip("\n"))) for text in texts]
    logs = ResourceLogs(scope_logs=[ScopeLogs(log_records=records)])
    return ExportLogsServiceRequest(resource_logs=[logs]).SerializeToString()
