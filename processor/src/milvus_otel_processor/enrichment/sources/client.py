"""The source `client`: the span of an instrumented Milvus client, which names its collection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milvus_otel_processor.enrichment.facts import Facts
from milvus_otel_processor.otlp.schema import AttributesView

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milvus_otel_processor.enrichment.requests import Request
    from milvus_otel_processor.trace import Trace

_COLLECTION = b"db.collection.name"  # OpenTelemetry's conventions; this project's client, openlit
_OPERATION_COLLECTION = (
    b".collection_name"  # opentelemetry-instrumentation-milvus: db.milvus.<operation>.collection_name
)
_PREFIX = b"db.milvus."
_OPERATION = (b"db.operation.name", b"db.operation")
_NAMESPACE = (b"db.namespace",)
_NOT_KNOWN = "unknown"  # what openlit writes for a collection that was a positional argument


class ClientSource:
    """Reads the attributes of the operations' spans."""

    name = "client"

    def facts(self, trace: Trace, requests: Sequence[Request]) -> dict[int, Facts]:
        """Return what each operation's span says."""
        return {
            place: _facts(trace.spans[request.client])
            for place, request in enumerate(requests)
            if request.method is None and request.client is not None
        }


def _facts(span: bytes) -> Facts:
    texts = {pair.key: pair.value.string_value for pair in AttributesView.FromString(span).attributes}
    collection = _first(texts, (_COLLECTION, *filter(_names_collection, texts)))
    return Facts(collection if collection != _NOT_KNOWN else None, _first(texts, _NAMESPACE), _first(texts, _OPERATION))


def _names_collection(key: bytes) -> bool:
    return key.startswith(_PREFIX) and key.endswith(_OPERATION_COLLECTION)


def _first(texts: dict[bytes, bytes], keys: tuple[bytes, ...]) -> str | None:
    for key in keys:
        value = texts.get(key)
        if value:
            return value.decode("utf-8", "replace")
    return None
