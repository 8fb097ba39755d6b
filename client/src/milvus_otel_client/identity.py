"""What an operation is about, in the conventions' words: the same for its span and for its metric."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from milvus_otel_client import attributes
from milvus_otel_client.extractors import as_name
from milvus_otel_client.target import server_attributes


class Identity(NamedTuple):
    """The operation, its collection and its target; shared by calls, so never changed."""

    operation: str
    span_name: str
    attributes: dict[str, str | int]


@lru_cache(maxsize=512)
def identity_of(operation: str, collection: str | None, database: str | None, address: str | None) -> Identity:
    """Return the identity, made once for all calls that ask the same; None for what is not known (yet).

    What cannot be a name is left out.
    """
    collection, database = as_name(collection), as_name(database)
    found: dict[str, str | int] = {
        attributes.DB_SYSTEM_NAME: attributes.DB_SYSTEM_MILVUS,
        attributes.DB_OPERATION_NAME: operation,
    }
    if collection is not None:
        found[attributes.DB_COLLECTION_NAME] = collection
    if database is not None:
        found[attributes.DB_NAMESPACE] = database
    if address is not None:
        found.update(server_attributes(address))
    return Identity(operation, f"{operation} {collection}" if collection else operation, found)
