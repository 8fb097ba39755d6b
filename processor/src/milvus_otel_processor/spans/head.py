"""What a span says of itself, whichever store read it."""

from __future__ import annotations

from typing import Protocol


class Status(Protocol):
    """The status of a span."""

    @property
    def code(self) -> int:
        """0 is UNSET, 1 OK, 2 ERROR."""

    @property
    def message(self) -> bytes:
        """Its description."""


class Head(Protocol):
    """What a span says of itself without its attributes, events and links. What is missing is empty, or 0."""

    @property
    def span_id(self) -> bytes:
        """The span's id."""

    @property
    def parent_span_id(self) -> bytes:
        """Its parent's id: nothing, or zeros, where it is a root."""

    @property
    def name(self) -> bytes:
        """Its name."""

    @property
    def kind(self) -> int:
        """The number of its SpanKind."""

    @property
    def start_time_unix_nano(self) -> int:
        """When it began; nanoseconds since 1970."""

    @property
    def end_time_unix_nano(self) -> int:
        """When it ended; nanoseconds since 1970."""

    @property
    def trace_state(self) -> bytes:
        """Its W3C trace state."""

    @property
    def flags(self) -> int:
        """Its W3C flags, and OTLP's own above them."""

    @property
    def status(self) -> Status:
        """Its status."""
