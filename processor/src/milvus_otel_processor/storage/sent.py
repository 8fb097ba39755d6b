"""Which kept spans are out already, of those that are still in the requests on disk: so that they do not go out twice."""

from __future__ import annotations

import logging
import os
import re
from threading import Lock
from typing import TYPE_CHECKING

from milvus_otel_processor.spans.groups import GroupRegistry, join
from milvus_otel_processor.spans.span import span_key
from milvus_otel_processor.telemetry.paced import PacedLog

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from milvus_otel_processor.spans.contract import Trace

_log = logging.getLogger(__name__)

_SUFFIX = ".ids"
_KEY_BYTES = 24
_FILE_BYTES = 1 << 20
_MOST_RECOVERED = 500_000
"""Spans; about 100 MiB. What was sent before these comes twice."""
_TRACE_ID_BYTES = 16
_TRACE_IDS = re.compile(rb"\n\x10(?=(.{16}))", re.DOTALL)
"""What may be a trace id: field 1 of a span, of 16 bytes; and what only looks like one."""


class SentLog:
    """The ids (trace id, span id) of spans that are sent, lost and counted, or written down as kept.

    Nothing depends on it being whole: a span that is missing here goes out twice. So it is not synced, and where it cannot be
    written the processor goes on. Safe to be called from any thread.
    """

    def __init__(self, folder: Path, newest_segment: int) -> None:
        self._folder = folder
        self._lock = Lock()
        self._files = sorted(folder.glob(f"sent-*{_SUFFIX}"))
        self._needed_for: dict[Path, int] = dict.fromkeys(self._files, newest_segment)
        self._next = int(self._files[-1].stem.rpartition("-")[2]) + 1 if self._files else 1
        self._written = _FILE_BYTES
        self._paced = PacedLog(_log)
        self.newest_segment = newest_segment
        """The newest segment of requests: what is noted now may be in it, and in those before."""

    def add(self, traces: Iterable[Trace]) -> None:
        """Note that all spans of these traces are out."""
        keys = b"".join(key for trace in traces for span in trace.spans if (key := span_key(span)) is not None)
        if not keys:
            return
        with self._lock:
            try:
                self._append(keys)
            except OSError as error:
                self._paced.tell(
                    logging.WARNING, "what was sent cannot be noted, after a crash it comes twice: %s", error
                )

    def recovered(self) -> SentSpans:
        """Return what an earlier process noted, the newest where that is more than memory is meant for."""
        found: set[bytes] = set()
        for file in reversed(self._files):
            try:
                content = file.read_bytes()
            except OSError:
                continue
            whole = len(content) - len(content) % _KEY_BYTES
            found.update(content[at : at + _KEY_BYTES] for at in range(0, whole, _KEY_BYTES))
            if len(found) >= _MOST_RECOVERED:
                break
        return SentSpans(found)

    def forget(self, oldest_segment: int) -> None:
        """Remove what is about segments of requests before this one alone."""
        with self._lock:
            for file in [file for file in self._files if self._needed_for[file] < oldest_segment]:
                file.unlink(missing_ok=True)
                self._files.remove(file)
                del self._needed_for[file]
                self._written = _FILE_BYTES  # if it was the one that is written to

    def _append(self, keys: bytes) -> None:
        if self._written >= _FILE_BYTES:
            file = self._folder / f"sent-{self._next:010}{_SUFFIX}"
            self._next += 1
            self._files.append(file)
            self._written = 0
        file = self._files[-1]
        self._needed_for[file] = self.newest_segment
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        try:
            os.write(descriptor, keys)
        finally:
            os.close(descriptor)
        self._written += len(keys)


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
