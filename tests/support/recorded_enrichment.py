"""The recording in tests/data/milvus-2.3.5, as requests and as lines of our format."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import TYPE_CHECKING

from milvus_otel_processor.enrichment.access_log.line import FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).parents[1] / "data" / "milvus-2.3.5"

_KEYS = {
    "time_now": "time",
    "method_name": "method",
    "user_addr": "peer",
    "time_cost": "cost",
    "trace_id": "trace_id",
    "user_name": "user",
    "sdk_version": "sdk",
    "database_name": "db",
    "partition_name": "partitions",
    "collection_name": "collection",
    "method_status": "status",
    "error_code": "code",
}


def requests() -> Iterator[bytes]:
    """The serialized ExportTraceServiceRequests, in the order of their arrival."""
    content = (FOLDER / "traces.binpb").read_bytes()
    at = 0
    while at < len(content):
        (size,) = struct.unpack_from(">I", content, at)
        yield content[at + 4 : at + 4 + size]
        at += 4 + size


def records() -> list[dict[str, str]]:
    """The recorded lines by their own keys; the expression, which Milvus did not escape, is cut off."""
    lines = (FOLDER / "access.log").read_text(encoding="utf-8").splitlines()
    return [dict(re.findall(r'"(\w+)":"([^"]*)"', line.partition(',"expr":')[0])) for line in lines]


def lines() -> list[str]:
    """The recorded lines as Milvus would have written them in our format; the recording has no error messages."""
    return [
        "\t".join("msg=" if field == "error_msg" else record[_KEYS[field]] for field in FIELDS) for record in records()
    ]
