"""The spans of Milvus requests, by what the `milvus` processor and this project's client write on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milvus_otel_processor.otlp.schema import AttributesView

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milvus_otel_processor.trace import Trace

COLLECTION, NAMESPACE = b"db.collection.name", b"db.namespace"
STATUS_CODE, ERROR_TYPE = b"db.response.status_code", b"error.type"

_SYSTEM, _OLDER_SYSTEM = b"db.system.name", b"db.system"
_MILVUS = b"milvus"


def milvus_spans(trace: Trace, key: bytes) -> Iterator[dict[bytes, bytes]]:
    """Yield the attributes of each span with this one that tells of Milvus, and not of another database.

    Numbers are given as text, what is neither text nor number as an empty one. Raises DecodeError at a malformed span.
    """
    if not trace.may_hold(key):
        return
    for span in trace.spans:
        if key in span:
            texts = {}
            for pair in AttributesView.FromString(span).attributes:
                value = pair.value
                is_number = value.WhichOneof("value") == "int_value"
                texts[pair.key] = b"%d" % value.int_value if is_number else value.string_value
            if key in texts and texts.get(_SYSTEM, texts.get(_OLDER_SYSTEM)) == _MILVUS:
                yield texts
