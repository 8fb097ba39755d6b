"""Reads a file of Milvus' access log, for the requests in a recording that only it knows the collection of."""

from __future__ import annotations

from io import TextIOWrapper
from lzma import LZMAError
from typing import TYPE_CHECKING

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs

from milvus_otel_processor.enrichment.access_log.line import parse
from milvus_otel_processor.replay.recording import Message, RecordingError, inflated
from milvus_otel_processor.replay.zstd import ZstdError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def read_access_log(path: Path) -> Iterator[Message]:
    """Yield each line of the file, compressed or not, as a Collector would send it, at the time when its request ended.

    A line that is not of our format is yielded too, at the time of the one before it: to count it is the processor's business.
    Raises RecordingError where the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            content = TextIOWrapper(inflated(file), encoding="utf-8", errors="replace")
            for number, text in enumerate(content, start=1):
                line = parse(text)
                end = line.end if line is not None else 0
                yield Message(_request(text.rstrip("\n")), end, f"{path}:{number}", is_access_log=True)
    except (OSError, EOFError, ZstdError, LZMAError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise RecordingError(f"{path}: cannot be read: {reason}") from None


def _request(text: str) -> bytes:
    record = LogRecord(body=AnyValue(string_value=text))
    logs = ResourceLogs(scope_logs=[ScopeLogs(log_records=[record])])
    return ExportLogsServiceRequest(resource_logs=[logs]).SerializeToString()
