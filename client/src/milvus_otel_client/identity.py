"""What an operation is about, in the conventions' words: the same for its span and for its metric."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from milvus_otel_client import attributes
from milvus_otel_client.extractors import as_name
from milvus_otel_client.target import server_attributes

_WORD = re.compile(r"\w+")


class Identity(NamedTuple):
    """The operation, its collection and its target; shared by calls, so never changed."""

    operation: str
    span_name: str
    attributes: dict[str, str | int]
    words: frozenset[str]
    """Those that the names of the collection and the database are made of, which the attributes tell."""


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
    words = frozenset(_WORD.findall(f"{collection or ''} {database or ''}"))
    return Identity(operation, f"{operation} {collection}" if collection else operation, found, words)
