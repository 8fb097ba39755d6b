"""Finds the records of a trace in files of the Collector's file exporter, in its format json."""

from __future__ import annotations

import json
import lzma
from typing import TYPE_CHECKING, Any, NamedTuple

from milvus_otel_processor.replay.files import each_once, is_folder
from milvus_otel_processor.replay.recording import RecordingError, UnfinishedError, inflated, messages
from milvus_otel_processor.replay.zstd import ZstdError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_ENDINGS = (".json", ".jsonl", ".gz", ".xz", ".zst")
"""How the names of files end that are read in a folder: those that are rotated have the time before the ending."""
_SEVERITIES = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
_EXPECTED = "expected what the Collector's file exporter writes with format json"


class LogFileError(Exception):
    """A file cannot be read, or is none with logs; the message says which, and what was expected."""


class LogRecord(NamedTuple):
    """A record, as OTLP's JSON has it."""

    nanoseconds: int
    """Its time, else the time at which it was read; since 1970, 0 where it says neither."""
    severity: str
    span_id: str
    """Hexadecimal; empty where it says none."""
    body: Any
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any]


def files_in(paths: Sequence[Path]) -> list[Path]:
    """Return these files, and those in these folders that may be some, each once. Raises LogFileError where there are none."""
    found = []
    for path in paths:
        if not is_folder(path):
            found.append(path)
            continue
        try:
            inside = sorted(one for one in path.iterdir() if one.name.endswith(_ENDINGS) and one.is_file())
        except OSError as error:
            raise LogFileError(f"{path}: cannot be read: {error.strerror}") from None
        if not inside:
            raise LogFileError(f"{path}: has no file whose name ends in {', '.join(_ENDINGS)}")
        found += inside
    return each_once(found)


def records_of(trace_id: str, file: Path) -> Iterator[LogRecord]:
    """Yield the records of the trace with this hexadecimal id, in the order of the file. Raises LogFileError.

    A line is a request, which may hold thousands of records: most lines are passed over unread. What is still being written at the
    end counts for nothing.
    """
    wanted = trace_id.lower()
    marks = wanted.encode(), wanted.upper().encode()
    try:
        with file.open("rb") as opened:
            content = inflated(opened)
            for data, place in messages(content, file, _EXPECTED):
                if not data.startswith((b"{", b" ", b"\t")):
                    raise LogFileError(f"{place}: not JSON; {_EXPECTED}")
                if any(mark in data for mark in marks):
                    yield from _in_request(data, wanted, place)
    except RecordingError as error:
        raise LogFileError(str(error)) from None
    except UnfinishedError:
        return  # it is still being written
    except (OSError, EOFError, ZstdError, lzma.LZMAError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise LogFileError(f"{file}: cannot be read: {reason}") from None


def _in_request(data: bytes, wanted: str, place: str) -> Iterator[LogRecord]:
    try:
        for of_resource in _document(data).get("resourceLogs", ()):
            resource = _attributes(of_resource.get("resource", {}))
            for of_scope in of_resource.get("scopeLogs", ()):
                for record in of_scope.get("logRecords", ()):
                    if record.get("traceId", "").lower() == wanted:
                        yield _record(record, resource)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise LogFileError(f"{place}: no request of logs in OTLP's JSON: {error}; {_EXPECTED}") from None


def _document(data: bytes) -> dict[str, Any]:
    """Return the request; without anything in it where it is a last line that is cut short."""
    try:
        document: dict[str, Any] = json.loads(data)
    except ValueError:
        if data.endswith(b"\n"):
            raise
        return {}
    return document


def _record(record: dict[str, Any], resource: Mapping[str, Any]) -> LogRecord:
    return LogRecord(
        int(record.get("timeUnixNano", 0)) or int(record.get("observedTimeUnixNano", 0)),
        record.get("severityText") or _severity(record.get("severityNumber", 0)),
        record.get("spanId", ""),
        _value(record.get("body") or {}),
        _attributes(record),
        resource,
    )


def _severity(number: int) -> str:
    """Return the name of a severity, of which each has four numbers (opentelemetry.io/docs/specs/otel/logs/data-model)."""
    return _SEVERITIES[(number - 1) // 4] if 0 < number <= 4 * len(_SEVERITIES) else ""


def _attributes(item: dict[str, Any]) -> dict[str, Any]:
    return {one.get("key", ""): _value(one.get("value") or {}) for one in item.get("attributes", ())}


def _value(value: dict[str, Any]) -> Any:
    """Return what an AnyValue holds; OTLP's JSON writes an integer of 64 bits as a text."""
    for kind, held in value.items():
        if kind == "intValue":
            return int(held)
        if kind == "arrayValue":
            return [_value(one) for one in held.get("values", ())]
        if kind == "kvlistValue":
            return {one.get("key", ""): _value(one.get("value") or {}) for one in held.get("values", ())}
        return held
    return None
