"""Which kept spans are out already, of those that are still in the requests on disk: so that they do not go out twice."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from milvus_otel_processor.spans.groups import GroupRegistry, join
from milvus_otel_processor.spans.span import span_key
from milvus_otel_processor.storage.keys import KEY_BYTES, KeyLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from milvus_otel_processor.spans.contract import Trace

_MOST_RECOVERED = 500_000
"""Spans; about 100 MiB. What was sent before these comes twice."""
_TRACE_ID_BYTES = 16
_TRACE_IDS = re.compile(rb"\n\x10(?=(.{16}))", re.DOTALL)
"""What may be a trace id: field 1 of a span, of 16 bytes; and what only looks like one."""


class SentLog(KeyLog):
    """The keys of spans that are sent, lost and counted, or written down as kept. A span that is missing here goes out twice."""

    def __init__(self, folder: Path, newest: Callable[[], int]) -> None:
        super().__init__(folder, "sent", newest, missing="what was sent cannot be noted, after a crash it comes twice")

    def add(self, traces: Iterable[Trace]) -> None:
        """Note that all spans of these traces are out."""
        self.put(b"".join(key for trace in traces for span in trace.spans if (key := span_key(span)) is not None))

    def recovered(self) -> SentSpans:
        """Return what an earlier process noted, the newest where that is more than memory is meant for."""
        found: set[bytes] = set()
        for part in self.parts():
            found.update(part[at : at + KEY_BYTES] for at in range(0, len(part), KEY_BYTES))
            if len(found) >= _MOST_RECOVERED:
                break
        return SentSpans(found)


class SentSpans:
    """Spans that an earlier process has sent."""

    def __init__(self, keys: set[bytes]) -> None:
        self._keys = keys
        self._traces = {key[:_TRACE_ID_BYTES] for key in keys}

    def __len__(self) -> int:
        return len(self._keys)

    def taken_out_of(self, request: bytes) -> tuple[bytes, int]:
        """Return a request without them, and how many of them were in it. Raises DecodeError where it is malformed."""
        # Most requests have none of these traces; to find that out without decoding makes a recovery four times as fast.
        if self._traces.isdisjoint(_TRACE_IDS.findall(request)):
            return request, 0
        pairs = [(group, span) for group, spans in GroupRegistry().split(request) for span in spans]
        left = [pair for pair in pairs if span_key(pair[1]) not in self._keys]
        if len(left) == len(pairs):
            return request, 0
        return join(left), len(pairs) - len(left)
