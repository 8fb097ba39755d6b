"""Log records, as lines for people and as JSON for programs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from milvus_otel_processor.printable import as_value, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from milvus_otel_processor.log_files.reading import LogRecord

_SERVICE, _SOURCE = "service.name", "log.source"
_LATEST = 253_402_300_799_999_999_999
"""The last nanosecond of the year 9999, behind which no calendar goes here."""


def lines(record: LogRecord) -> Iterator[str]:
    """Yield a record in lines: what is the same of each, its body, and then its attributes, none of which moves a cursor."""
    source = " ".join(str(record.resource[key]) for key in (_SERVICE, _SOURCE) if key in record.resource)
    first, *more = _text(record.body).replace("\t", "  ").rstrip().splitlines() or [""]
    yield printable(f"{_time(record.nanoseconds)} {record.severity or '-':6} {source or '-'}  {first}")
    for line in more:
        yield f"    {printable(line)}"
    if record.attributes:
        yield "    " + " ".join(
            f"{printable(key)}={as_value(_text(value))}" for key, value in record.attributes.items()
        )


def document(trace_id: str, records: Sequence[LogRecord]) -> dict[str, Any]:
    """Return them as JSON has them."""
    return {
        "trace_id": trace_id,
        "records": [
            {
                "time_unix_nano": str(one.nanoseconds),
                "severity": one.severity or None,
                "span_id": one.span_id or None,
                "body": one.body,
                "attributes": one.attributes,
                "resource": one.resource,
            }
            for one in records
        ],
    }


def _time(nanoseconds: int) -> str:
    if not 0 < nanoseconds <= _LATEST:
        return "-" * len("2026-11-26T12:00:00.000Z")
    when = datetime.fromtimestamp(nanoseconds // 10**9, UTC).replace(tzinfo=None)
    return f"{when.isoformat()}.{nanoseconds // 10**6 % 1000:03}Z"


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
