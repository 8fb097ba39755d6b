"""What can be known of one Milvus request, and how it is written on spans."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from milvus_otel_processor.otlp.attributes import find, span_attribute

MILVUS = "milvus"
"""The value of `db.system.name`: OpenTelemetry's list has none for Milvus."""

_ENCODINGS_REMEMBERED = 4096


class Facts(NamedTuple):
    """One Milvus request; None is what is not known.

    The names are those of OpenTelemetry's database conventions: `namespace` is the Milvus database, `operation` what the client
    calls it (`search`, `SEARCH`) or, from the server, the method (`Search`).
    """

    collection: str
    namespace: str | None = None
    operation: str | None = None


class Encoded:
    """The attributes of a request: each as its key and as the bytes that add it to a span."""

    def __init__(self, facts: Facts) -> None:
        pairs = (
            ("db.system.name", MILVUS),
            ("db.namespace", facts.namespace),
            ("db.collection.name", facts.collection),
            ("db.operation.name", facts.operation),
        )
        self.attributes = [(key.encode(), span_attribute(key, value)) for key, value in pairs if value is not None]

    def missing(self, span: bytes) -> bytes:
        """Return the attributes that a serialized span does not have yet: what has one is not overwritten."""
        return b"".join(attribute for key, attribute in self.attributes if key not in span or find(span, key) is None)


encoded = lru_cache(maxsize=_ENCODINGS_REMEMBERED)(Encoded)
"""Return the attributes of a request; requests repeat themselves, so they are remembered."""
