"""The source `client`: the span of an instrumented Milvus client, which names its collection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milvus_otel_processor.enrichment.facts import MILVUS, Facts
from milvus_otel_processor.otlp.schema import AttributesView

if TYPE_CHECKING:
    from milvus_otel_processor.trace import Trace

_COLLECTION = b"db.collection.name"  # OpenTelemetry's conventions; this project's client, openlit
_OPERATION_COLLECTION = (
    b".collection_name"  # opentelemetry-instrumentation-milvus: db.milvus.<operation>.collection_name
)
_IN_EVERY_KEY = b"collection"
_PREFIX = b"db.milvus."
_SYSTEM = (b"db.system.name", b"db.system")
_OPERATION = (b"db.operation.name", b"db.operation")
_NAMESPACE = (b"db.namespace",)
_NOT_KNOWN = "unknown"  # what openlit writes for a collection that was a positional argument


def requests(trace: Trace) -> dict[int, Facts]:
    """Return the facts of each client span that names a Milvus collection, by the span's place in the trace.

    Raises DecodeError at a malformed span.
    """
    if not trace.may_hold(_IN_EVERY_KEY):
        return {}
    found = {}
    for index, span in enumerate(trace.spans):
        if _COLLECTION in span or _OPERATION_COLLECTION in span:
            facts = _facts(span)
            if facts is not None:
                found[index] = facts
    return found


def _facts(span: bytes) -> Facts | None:
    texts = {pair.key: pair.value.string_value for pair in AttributesView.FromString(span).attributes}
    if _first(texts, _SYSTEM) != MILVUS:
        return None  # a collection of MongoDB, say
    collection = _first(texts, (_COLLECTION, *filter(_names_collection, texts)))
    if collection is None or collection == _NOT_KNOWN:
        return None
    return Facts(collection, _first(texts, _NAMESPACE), _first(texts, _OPERATION))


def _names_collection(key: bytes) -> bool:
    return key.startswith(_PREFIX) and key.endswith(_OPERATION_COLLECTION)


def _first(texts: dict[bytes, bytes], keys: tuple[bytes, ...]) -> str | None:
    for key in keys:
        value = texts.get(key)
        if value:
            return value.decode("utf-8", "replace")
    return None
