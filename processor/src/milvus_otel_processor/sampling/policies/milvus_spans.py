"""The spans of Milvus requests, by what the `milvus` processor and this project's client write on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milvus_otel_processor.spans.contract import Trace
    from milvus_otel_processor.spans.schema import AnyValue

COLLECTION, NAMESPACE = b"db.collection.name", b"db.namespace"
ALIAS = b"milvus.collection.alias"
STATUS_CODE, ERROR_TYPE = b"db.response.status_code", b"error.type"

_SYSTEM, _OLDER_SYSTEM = b"db.system.name", b"db.system"
_MILVUS = b"milvus"


def milvus_spans(trace: Trace, key: bytes) -> Iterator[dict[bytes, bytes]]:
    """Yield the attributes of each span with this one that tells of Milvus, and not of another database.

    Numbers are given as text, what is neither text nor number as an empty one. Raises DecodeError at a malformed span.
    """
    for index in trace.holding(key):
        texts = texts_of(trace.attributes(index))
        if key in texts and texts.get(_SYSTEM, texts.get(_OLDER_SYSTEM)) == _MILVUS:
            yield texts


def texts_of(attributes: dict[bytes, AnyValue]) -> dict[bytes, bytes]:
    """Return attributes as texts: numbers as such, what is neither text nor number as an empty one."""
    return {name: _text(value) for name, value in attributes.items()}


def _text(value: AnyValue) -> bytes:
    return b"%d" % value.int_value if value.WhichOneof("value") == "int_value" else value.string_value
