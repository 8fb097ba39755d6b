"""The attributes that enrichment writes, one table of them, and how they become bytes."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

from milvus_otel_processor.enrichment.facts import MILVUS
from milvus_otel_processor.requests.record import (
    CLIENT,
    COORDINATORS,
    CORE,
    QUERY_NODES,
    QUEUE,
    REDUCE,
    UNEXPLAINED,
    WAIT,
    WRITE,
)
from milvus_otel_processor.spans.attributes import Encoded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from milvus_otel_processor.enrichment.catalogue.collection import Collection
    from milvus_otel_processor.enrichment.facts import Facts
    from milvus_otel_processor.spans.attributes import Value

_ENCODINGS_REMEMBERED = 4096
_LONGEST_REMEMBERED = 512


class Attribute(NamedTuple):
    """One attribute: `example` is a value of its type, `opt_in` means that only its whole name includes it."""

    name: str
    type: Literal["string", "int", "double", "boolean", "string[]", "int[]"]
    example: Value | tuple[Value, ...]
    meaning: str
    opt_in: bool = False


NAMES = (
    Attribute("db.system.name", "string", MILVUS, "Always `milvus`."),
    Attribute("db.namespace", "string", "default", "The Milvus database."),
    Attribute("db.collection.name", "string", "products", "The collection; what an alias stands for."),
    Attribute(
        "db.operation.name", "string", "search", "What the client calls it, else the gRPC method, such as `Search`."
    ),
    Attribute("milvus.collection.alias", "string", "products_live", "The alias that the request used."),
    Attribute("milvus.enrichment", "string", "access_log", "The source that told; absent where none did."),
)
"""Which request it is: on every span of its subtree, unless the settings say otherwise."""

FAILURE = (
    Attribute("db.response.status_code", "string", "100", "Milvus' error code of a failed request."),
    Attribute(
        "error.type",
        "string",
        "100",
        "The same, or gRPC's status where gRPC ended the request, such as `CANCELLED`; makes a request a failed one.",
    ),
    Attribute(
        "milvus.error.message",
        "string",
        "collection not found[database=default][collection=missing]",
        "Milvus' words, without a filter expression that it could not parse.",
    ),
)
"""How a request failed: also on Milvus' own span of it, whose status becomes ERROR."""

DETAILS = (
    Attribute(
        "milvus.exists",
        "boolean",
        False,
        "Set where the answer is that the collection, index or the like that was asked about is not there: no failure.",
    ),
    Attribute("milvus.partitions", "string[]", ("_default",), "The partitions that the request names."),
    Attribute("milvus.sdk.version", "string", "Python-3.0.2", "The client's language and version, as Milvus knows it."),
    Attribute("enduser.id", "string", "root", "The Milvus user.", opt_in=True),
    Attribute("milvus.collection.id", "string", "470643434948271350", "The collection's id."),
    Attribute("milvus.collection.aliases", "string[]", ("products_live",), "All aliases of the collection."),
    Attribute("milvus.collection.description", "string", "what we sell", "Its description, if it has one."),
    Attribute("milvus.collection.shard_count", "int", 2, "Its shards."),
    Attribute("milvus.collection.partition_count", "int", 1, "Its partitions."),
    Attribute("milvus.collection.consistency_level", "string", "Bounded", "Its default consistency level."),
    Attribute("milvus.collection.dynamic_field", "boolean", True, "Whether it takes fields that its schema lacks."),
    Attribute(
        "milvus.collection.row_count",
        "int",
        120_000,
        "Its flushed rows, as Milvus' statistics count them; left out from a write on until it is read again.",
    ),
    Attribute(
        "milvus.collection.load_state",
        "string",
        "Loaded",
        "`Loaded`, `Loading` or `NotLoad`; left out from a change on until it is read again.",
    ),
    Attribute("milvus.collection.replica_count", "int", 1, "How many replicas are loaded."),
    Attribute("milvus.vector.field_names", "string[]", ("embedding",), "Its vector fields."),
    Attribute(
        "milvus.vector.dimensions", "int[]", (768,), "Their dimensions, in the same order; 0 for sparse vectors."
    ),
    Attribute("milvus.vector.index_types", "string[]", ("HNSW",), "Their indexes, in the same order; empty for none."),
    Attribute(
        "milvus.vector.metric_types", "string[]", ("COSINE",), "Their metrics, in the same order; empty for none."
    ),
    Attribute(
        "milvus.catalogue.stale",
        "boolean",
        True,
        "Set where Milvus has not confirmed these for too long.",
    ),
)
"""What else is known of a request and its collection: on the request's own span, unless the settings say otherwise."""

TIMES = (
    *(
        Attribute(f"milvus.time.{stage}_ms", "double", example, f"Milliseconds {meaning}.")
        for stage, example, meaning in (
            (CLIENT, 1.27, "that the caller waited beside Milvus' own time"),
            (QUEUE, 0.41, "in the proxy before the work began"),
            (COORDINATORS, 0.25, "at Milvus' coordinators"),
            (WAIT, 186.1, "of waiting for the time that the consistency level asks for"),
            (QUERY_NODES, 0.62, "at the query nodes, beside what follows"),
            (CORE, 0.71, "in the C++ core"),
            (WRITE, 1.02, "of writing to the log"),
            (REDUCE, 0.07, "of putting results together in the proxy"),
            (UNEXPLAINED, 0.4, "of Milvus' time that no span explains"),
        )
    ),
    Attribute(
        "milvus.time.hint",
        "string",
        "Most of the time was the wait until the query nodes had seen the newest writes. …",
        "What it usually means, where one stage took most of the time.",
    ),
)
"""Where the time of a request went (docs/observability.md): on one span of it, the caller's or else Milvus' own."""

ATTRIBUTES = (*NAMES, *FAILURE, *DETAILS, *TIMES)
"""Every attribute that enrichment writes, but for those of a user's own source."""

_OPT_IN = frozenset(attribute.name for attribute in ATTRIBUTES if attribute.opt_in)
_FAILURE = frozenset(attribute.name for attribute in FAILURE)


class Selection:
    """Which attributes go on which spans: those that match a pattern of `include` and none of `exclude`.

    Patterns are names in which `*` stands for anything; an attribute that is opt-in is only included by its whole name.
    """

    def __init__(self, include: Sequence[str], exclude: Sequence[str]) -> None:
        self._include = include
        self._exclude = exclude
        self.wants = lru_cache(maxsize=1024)(self._wants)
        """Tell whether the attribute with this name is wanted."""

    def _wants(self, name: str) -> bool:
        included = name in self._include or (
            name not in _OPT_IN and any(fnmatchcase(name, pattern) for pattern in self._include)
        )
        return included and not any(fnmatchcase(name, pattern) for pattern in self._exclude)


class Written(NamedTuple):
    """What is written of one request: on every span of it, on its own span, and on Milvus' span of it if it failed."""

    subtree: Encoded
    own: Encoded
    failure: Encoded


class Writer:
    """Makes bytes of what is known; what repeats itself is remembered."""

    def __init__(self, subtree: Selection, request: Selection) -> None:
        self._subtree = subtree
        self._request = request
        self._remembered = lru_cache(maxsize=_ENCODINGS_REMEMBERED)(self._written)

    def written(self, facts: Facts, collection: Collection | None, source: str) -> Written:
        """Return the bytes for a request, of its facts, its collection, and the source that told."""
        # What is long is mostly an error's text, which hardly comes again, and would be remembered with all that is made of it.
        short = facts.size <= _LONGEST_REMEMBERED
        return self._remembered(facts, collection, source) if short else self._written(facts, collection, source)

    def _written(self, facts: Facts, collection: Collection | None, source: str) -> Written:
        values = _values(facts, collection, source).items()
        on_all = [(name, value) for name, value in values if self._subtree.wants(name)]
        on_own = [(name, value) for name, value in values if self._subtree.wants(name) or self._request.wants(name)]
        on_failed = [(name, value) for name, value in on_own if name in _FAILURE]
        return Written(Encoded(on_all), Encoded(on_own), Encoded(on_failed))


def _values(facts: Facts, collection: Collection | None, source: str) -> Mapping[str, Value | Sequence[Value] | None]:
    name = collection.name if collection is not None else facts.collection
    values: dict[str, Value | Sequence[Value] | None] = {
        "db.system.name": MILVUS,
        "db.namespace": collection.namespace if collection is not None else facts.namespace,
        "db.collection.name": name,
        "db.operation.name": facts.operation,
        "milvus.collection.alias": facts.collection if facts.collection != name else None,
        "milvus.enrichment": source or None,
        "db.response.status_code": facts.status_code,
        "error.type": facts.error_type,
        "milvus.error.message": facts.error_message,
        "milvus.exists": facts.exists,
        "milvus.partitions": facts.partitions or None,
        "milvus.sdk.version": facts.sdk_version,
        "enduser.id": facts.user,
    }
    if collection is not None:
        values |= collection.attributes()
    for key, value in facts.extra or ():
        values.setdefault(key, value)
    return values
