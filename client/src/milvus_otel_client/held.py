"""The spans of rpcs that failed, until their operation ends: what pymilvus can do without is no error of the trace.

An older server does not know every rpc; pymilvus goes on without the answer (``AllocTimestamp`` on Milvus Lite), and so
the operation succeeds. What pymilvus tries again is an error all the same.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from opentelemetry.trace import Span, Status, StatusCode

from milvus_otel_client import attributes

_MAX_HELD = 16


class _Held(NamedTuple):
    span: Span
    end_time: int
    error_type: str
    description: str | None
    is_unknown: bool


class HeldRpcs:
    """The spans of one operation, by path: ended when the rpc is tried again, or with the operation."""

    def __init__(self) -> None:
        self._held: dict[str, _Held] = {}

    def add(self, path: str, span: Span, error_type: str, description: str | None, *, is_unknown: bool) -> None:
        """Hold a span whose rpc failed now; ``is_unknown`` says that the server does not know the rpc."""
        self.try_again(path)
        if len(self._held) == _MAX_HELD:
            self.try_again(next(iter(self._held)))
        self._held[path] = _Held(span, time.time_ns(), error_type, description, is_unknown)

    def try_again(self, path: str) -> None:
        """End the span of an rpc that is made another time: an error, unless the server does not know the rpc."""
        if (earlier := self._held.pop(path, None)) is not None:
            _end(earlier, is_failed=not earlier.is_unknown)

    def end(self, *, is_failed: bool) -> None:
        """End all spans, with the time at which each failed; as errors if the operation has failed."""
        held, self._held = self._held, {}
        for each in held.values():
            _end(each, is_failed=is_failed)


def _end(held: _Held, *, is_failed: bool) -> None:
    if is_failed:
        set_rpc_failed(held.span, held.error_type, held.description)
    held.span.end(held.end_time)


def set_rpc_failed(span: Span, error_type: str, description: str | None) -> None:
    """Give the span of an rpc the status ERROR."""
    span.set_attribute(attributes.ERROR_TYPE, error_type)
    span.set_status(Status(StatusCode.ERROR, description))
