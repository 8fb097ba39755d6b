"""OTLP/JSON to OTLP's protobuf."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any

from google.protobuf.json_format import ParseDict, ParseError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

_SPANS = "resourceSpans"
_IDS = ("traceId", "spanId", "parentSpanId")


class FormatError(ValueError):
    """The text is not an ExportTraceServiceRequest in OTLP/JSON; the message says why."""


def from_json(text: bytes) -> bytes:
    """Return the serialized ExportTraceServiceRequest that the text says. Raises FormatError.

    OTLP/JSON is protobuf's JSON but for the ids of traces and spans, which are hexadecimal, not base64. Fields that are not
    known here are passed over, as it demands of a receiver (opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding).
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise FormatError(f"not JSON: {error}") from None
    if not isinstance(document, dict) or not document.keys() <= {_SPANS}:
        held = ", ".join(document) if isinstance(document, dict) else type(document).__name__
        raise FormatError(f"holds {held}, expected {_SPANS} alone")
    try:
        for item in _with_ids(document):
            for key in _IDS:
                if key in item:
                    item[key] = b64encode(bytes.fromhex(item[key])).decode("ascii")
        return ParseDict(document, ExportTraceServiceRequest(), ignore_unknown_fields=True).SerializeToString()
    except (ParseError, ValueError, TypeError, AttributeError) as error:
        raise FormatError(str(error)) from None


def _with_ids(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the spans and the links in a document."""
    for resource_spans in document.get(_SPANS, ()):
        for scope_spans in resource_spans.get("scopeSpans", ()):
            for span in scope_spans.get("spans", ()):
                yield span
                yield from span.get("links", ())
