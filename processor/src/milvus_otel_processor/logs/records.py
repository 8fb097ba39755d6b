"""A request of log records, cut into its records: which trace each belongs to, and whether it can go on at all.

In OTLP a request of logs is numbered as one of spans is (`resource_logs`, `scope_logs` and `log_records` as `resource_spans`,
`scope_spans` and `spans`), so that `spans.groups` cuts and joins both.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from milvus_otel_processor.spans.groups import GroupRegistry
from milvus_otel_processor.spans.schema import DecodeError, LogRecordView
from milvus_otel_processor.spans.span import is_trace_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milvus_otel_processor.spans.groups import Group

Record = tuple["Group", bytes]
"""A serialized LogRecord and its resource and scope."""

_BYTES_PER_RECORD = 110
"""About what a record takes beside its own bytes: two objects, and their places in lists."""
_TRACE_ID_SIZES, _SPAN_ID_SIZES = (0, 16), (0, 8)
_SOURCE, _ACCESS_LOG = b"log.source", b"access_log"
_LINE = re.compile(rb"\d{4}/\d{2}/\d{2} \d{2}:\d{2}:\d{2}\.\d{3} [^\t]{0,16}\t")
"""How a line of Milvus' access log begins in the format that the processor reads."""


class Cut(NamedTuple):
    """What is in a request."""

    records: int
    """How many."""
    malformed: int
    """How many of these are not valid protobuf, or have an id of another length: whoever gets one refuses all that came with it."""
    by_trace: dict[bytes, list[Record]]
    """The others by their trace id."""
    without_trace_id: Sequence[Record]
    """Those that have none."""
    lines: Sequence[Record]
    """Those of all that are lines of Milvus' access log."""


class Cutter:
    """Cuts requests. Calls are serialized by the caller."""

    def __init__(self) -> None:
        self._groups = GroupRegistry()

    @property
    def size(self) -> int:
        """The bytes of the resources and scopes that are held for records."""
        return self._groups.size

    def cut(self, request: bytes) -> Cut:
        """Return what is in a serialized ExportLogsServiceRequest.

        Raises DecodeError where the request, a resource or a scope is not valid protobuf.
        """
        count = malformed = 0
        by_trace: dict[bytes, list[Record]] = {}
        without: list[Record] = []
        lines: list[Record] = []
        for group, encoded_records in self._groups.split(request):
            source = group.once(_source)
            for encoded in encoded_records:
                count += 1
                try:
                    record = LogRecordView.FromString(encoded)
                except DecodeError:
                    malformed += 1
                    continue
                if not _have_sizes(record.trace_id, _TRACE_ID_SIZES) or not _have_sizes(record.span_id, _SPAN_ID_SIZES):
                    malformed += 1
                    continue
                found = (group, encoded)
                if source == _ACCESS_LOG or (source is None and _LINE.match(record.body.string_value)):
                    lines.append(found)
                trace_id = record.trace_id[-1] if record.trace_id else b""
                (by_trace.setdefault(trace_id, []) if is_trace_id(trace_id) else without).append(found)
        return Cut(count, malformed, by_trace, without, lines)


def memory_of(records: Sequence[Record]) -> int:
    """Return about how much memory these take; bytes."""
    return sum(len(encoded) for _, encoded in records) + _BYTES_PER_RECORD * len(records)


def _source(group: Group) -> bytes | None:
    """Return what the resource says where its records were read from, if it does: the stack's Collector says so of its files."""
    value = group.resource_attributes.get(_SOURCE)
    return value.string_value if value is not None else None


def _have_sizes(ids: Sequence[bytes], sizes: tuple[int, int]) -> bool:
    return all(len(one) in sizes for one in ids)
