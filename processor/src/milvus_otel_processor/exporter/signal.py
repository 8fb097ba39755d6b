"""What an exporter sends: spans, or log records, which OTLP treats alike."""

from __future__ import annotations

from typing import NamedTuple


class Signal(NamedTuple):
    """One of OTLP's signals, and how the log speaks of it."""

    method: str
    """The gRPC method that takes a request of it."""
    noun: str
    key: str
    """What comes before a number of them."""


SPANS = Signal("/opentelemetry.proto.collector.trace.v1.TraceService/Export", "spans", "spans")
LOG_RECORDS = Signal("/opentelemetry.proto.collector.logs.v1.LogsService/Export", "log records", "log_records")
