"""OTLP/JSON to OTLP's protobuf."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any, NamedTuple

from milvus_otel_processor.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

_SPANS = "resourceSpans"
_OTHER_SIGNALS = {"resourceMetrics": "metrics", "resourceLogs": "logs", "resourceProfiles": "profiles"}
_OLD_SCOPES, _OLD_SCOPE = "instrumentationLibrarySpans", "instrumentationLibrary"
"""What OTLP called `scopeSpans` and `scope` before 0.15 (April 2022)."""
_SHOWN = 100
"""Characters of a file's own words that a message repeats."""
_IDS = ("traceId", "spanId", "parentSpanId")


class FormatError(ValueError):
    """The text is not an ExportTraceServiceRequest in OTLP/JSON; the message says why."""


class CutShortError(FormatError):
    """The text ends in the middle."""


class OtherSignalError(FormatError):
    """The text is a request of another signal."""

    def __init__(self, signal: str) -> None:
        super().__init__(f"holds {signal}")
        self.signal = signal


class Converted(NamedTuple):
    """A request from JSON."""

    request: bytes
    """A serialized ExportTraceServiceRequest."""
    is_old: bool
    """Whether it was written as OTLP before 0.15 wrote it."""


def from_json(text: bytes) -> Converted:
    """Return the ExportTraceServiceRequest that the text says. Raises FormatError.

    OTLP/JSON is protobuf's JSON but for the ids of traces and spans, which are hexadecimal, not base64. Fields that are not
    known here are passed over, as it demands of a receiver (opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding).
    """
    # Where files are not JSON, as most are, none of this is needed, and a command need not wait for it.
    from google.protobuf.json_format import ParseDict, ParseError  # noqa: PLC0415
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest  # noqa: PLC0415

    try:
        document = json.loads(text)
    except ValueError as error:
        is_cut = isinstance(error, UnicodeDecodeError) or not text.rstrip().endswith(b"}") or _ends_open(text)
        raise (CutShortError if is_cut else FormatError)(f"not JSON: {error}") from None
    for key, signal in _OTHER_SIGNALS.items():
        if isinstance(document, dict) and document.keys() == {key}:
            raise OtherSignalError(signal)
    if not isinstance(document, dict) or not document.keys() <= {_SPANS}:
        held = printable(", ".join(document)[:_SHOWN]) if isinstance(document, dict) else type(document).__name__
        raise FormatError(f"holds {held}, expected only {_SPANS}")
    try:
        is_old = _modernize(document)
        for item in _with_ids(document):
            for key in _IDS:
                if key in item:
                    item[key] = b64encode(bytes.fromhex(item[key])).decode("ascii")
        message = ParseDict(document, ExportTraceServiceRequest(), ignore_unknown_fields=True)
        return Converted(message.SerializeToString(), is_old)
    except (ParseError, ValueError, TypeError, AttributeError) as error:
        raise FormatError(str(error)) from None


def _ends_open(text: bytes) -> bool:
    """Tell whether more braces are opened than closed, those in texts included: as good as can be said of a text that is cut."""
    return text.count(b"{") > text.count(b"}")


def _modernize(document: dict[str, Any]) -> bool:
    """Rename what OTLP called otherwise before 0.15; return whether there was any."""
    is_old = False
    for resource_spans in document.get(_SPANS, ()):
        if _OLD_SCOPES in resource_spans.keys():  # noqa: SIM118 - what is no mapping has none, and is no request
            is_old = True
            old = resource_spans.pop(_OLD_SCOPES)
            for scope_spans in old:
                if _OLD_SCOPE in scope_spans:
                    scope_spans["scope"] = scope_spans.pop(_OLD_SCOPE)
            resource_spans.setdefault("scopeSpans", []).extend(old)
    return is_old


def _with_ids(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the spans and the links in a document."""
    for resource_spans in document.get(_SPANS, ()):
        for scope_spans in resource_spans.get("scopeSpans", ()):
            for span in scope_spans.get("spans", ()):
                yield span
                yield from span.get("links", ())
