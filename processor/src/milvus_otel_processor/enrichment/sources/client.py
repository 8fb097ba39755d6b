"""The source `client`: the span of an instrumented Milvus client, which names its collection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milvus_otel_processor.enrichment.facts import NOTHING, Facts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milvus_otel_processor.enrichment.requests import Request
    from milvus_otel_processor.spans.contract import Trace
    from milvus_otel_processor.spans.schema import AnyValue

_COLLECTION = b"db.collection.name"  # OpenTelemetry's conventions; this project's client, openlit
_OPERATION_COLLECTION = (
    b".collection_name"  # opentelemetry-instrumentation-milvus: db.milvus.<operation>.collection_name
)
COLLECTION_KEYS = (_COLLECTION, _OPERATION_COLLECTION)
"""What is in every key by which a client names a collection."""
COLLECTION_PREFIX, COLLECTION_SUFFIX = b"db.milvus.", _OPERATION_COLLECTION
"""How keys of a client's own begin and end by which it names a collection."""
_OPERATION = (b"db.operation.name", b"db.operation")
_NAMESPACE = (b"db.namespace",)
KEYS = (_COLLECTION, *_OPERATION, *_NAMESPACE)
"""The attributes that are read, beside those keys."""
_NOT_KNOWN = "unknown"  # what openlit writes for a collection that was a positional argument


class ClientSource:
    """Reads the attributes of the operations' spans, and of those of their calls that name a collection."""

    name = "client"

    def facts(self, trace: Trace, requests: Sequence[Request]) -> dict[int, Facts]:
        """Return what each caller's span says."""
        found = {}
        names = trace.may_hold(_COLLECTION) or trace.may_hold(_OPERATION_COLLECTION)
        for place, request in enumerate(requests):
            if request.client is not None and (names or request.method is None):
                facts = _facts(trace.attributes(request.client))
                # A span of a call is made by gRPC's instrumentation: only with a name was something of Milvus added to it.
                if facts is not None and (request.method is None or facts.collection is not None):
                    found[place] = facts
        return found


def _facts(attributes: dict[bytes, AnyValue]) -> Facts | None:
    """Return what the span says; None where that is nothing, or where its attribute for the collection holds no name."""
    texts = {key: value.string_value for key, value in attributes.items()}
    keys = (_COLLECTION, *filter(_names_collection, texts))
    collection = _first(texts, keys)
    if collection == _NOT_KNOWN or (collection is None and any(key in texts for key in keys)):
        return None
    facts = Facts(collection, _first(texts, _NAMESPACE), _first(texts, _OPERATION))
    return facts if facts != NOTHING else None


def _names_collection(key: bytes) -> bool:
    return key.startswith(COLLECTION_PREFIX) and key.endswith(COLLECTION_SUFFIX)


def _first(texts: dict[bytes, bytes], keys: tuple[bytes, ...]) -> str | None:
    for key in keys:
        value = texts.get(key)
        if value:
            return value.decode("utf-8", "replace")
    return None
