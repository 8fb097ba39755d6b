"""One collection as Milvus describes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from milvus_otel_processor.spans.attributes import Value


LOADED, LOADING = "Loaded", "Loading"
"""Load states."""


@dataclass(frozen=True, slots=True)
class VectorField:
    """A vector field; `dimension` is 0 for sparse vectors, index and metric are empty where there is no index."""

    name: str
    dimension: int
    index_type: str = ""
    metric_type: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Collection:
    """What is known of a collection; None is what its Milvus does not tell."""

    id: int
    namespace: str
    name: str
    aliases: tuple[str, ...] = ()
    description: str = ""
    shard_count: int | None = None
    partition_count: int | None = None
    consistency_level: str | None = None
    dynamic_field: bool | None = None
    row_count: int | None = None
    load_state: str | None = None
    replica_count: int | None = None
    vector_fields: tuple[VectorField, ...] = ()
    stale: bool = False
    """Whether Milvus has not confirmed this for too long."""

    def attributes(self) -> Mapping[str, Value | Sequence[Value] | None]:
        """Return its attributes, None for what is not known."""
        vectors = self.vector_fields
        return {
            "milvus.collection.id": str(self.id),
            "milvus.collection.aliases": self.aliases or None,
            "milvus.collection.description": self.description or None,
            "milvus.collection.shard_count": self.shard_count,
            "milvus.collection.partition_count": self.partition_count,
            "milvus.collection.consistency_level": self.consistency_level,
            "milvus.collection.dynamic_field": self.dynamic_field,
            "milvus.collection.row_count": self.row_count,
            "milvus.collection.load_state": self.load_state,
            "milvus.collection.replica_count": self.replica_count,
            "milvus.vector.field_names": [vector.name for vector in vectors] or None,
            "milvus.vector.dimensions": [vector.dimension for vector in vectors] or None,
            "milvus.vector.index_types": [vector.index_type for vector in vectors] or None,
            "milvus.vector.metric_types": [vector.metric_type for vector in vectors] or None,
            "milvus.catalogue.stale": True if self.stale else None,
        }
