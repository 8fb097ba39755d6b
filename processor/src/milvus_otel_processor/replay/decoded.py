"""A request, decoded into what is shown of its spans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from milvus_otel_processor.replay.kept_span import KeptSpan
from milvus_otel_processor.spans.schema import RequestView, ResourceView, SpanView

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from milvus_otel_processor.spans.schema import AnyValue, KeyValue, Span

_KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")
"""OTLP's kinds of spans, by their numbers."""
_ERROR = 2


def decode(request: bytes) -> Iterator[KeptSpan]:
    """Yield the spans of an `ExportTraceServiceRequest` in its wire format; what is not UTF-8 in texts is replaced."""
    for of_resource in RequestView.FromString(request).resource_spans:
        resource = ResourceView.FromString(of_resource.SerializeToString()).resource
        service = str(_attributes(resource.attributes).get("service.name", ""))
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                yield _kept_span(service, SpanView.FromString(span))


def _kept_span(service: str, span: Span) -> KeptSpan:
    return KeptSpan(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        name=_text(span.name),
        service=service,
        start=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
        kind=_KINDS[span.kind] if 0 <= span.kind < len(_KINDS) else str(span.kind),
        is_error=span.status.code == _ERROR,
        attributes=_attributes(span.attributes),
    )


def _text(text: bytes) -> str:
    return text.decode("utf-8", "replace")


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    return {_text(pair.key): _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return _text(value.string_value)
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    return getattr(value, kind) if kind else None
