"""Wrong values that hold a marked secret, for every parameter of pymilvus' public methods."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np
from pymilvus import AnnSearchRequest

from tests.client_e2e import sweep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TEXT = "hunter2@example.com"
NUMBER = 73371337
FRACTION = 0.73371337
MARKS = ("hunter2", "73371337")
"""What must be in nothing that is exported."""
COUNTS = frozenset({"milvus.limit", "milvus.offset", "milvus.ef", "milvus.nprobe", "milvus.replica_number"})
"""Attributes that are a setting which the caller chose: such a number is recorded on purpose."""
VECTOR = [FRACTION, 0.2, 0.3, 0.4]


class _Talking:
    """Tells the secret when it is shown."""

    def __repr__(self) -> str:
        return TEXT


_WRONG: dict[str, Callable[[], Any]] = {
    "text": lambda: TEXT,
    "text in quotes": lambda: f"name == '{TEXT}",
    "filter": lambda: f"name == {TEXT} and id in [{NUMBER}, 'O'{TEXT}'] // {TEXT}",
    "number": lambda: NUMBER,
    "negative number": lambda: -NUMBER,
    "fraction": lambda: FRACTION,
    "bytes": TEXT.encode,
    "list": lambda: [TEXT],
    "numbers": lambda: [NUMBER, "x", None],
    "flat vector": lambda: list(VECTOR),
    "vectors of texts": lambda: [[TEXT, *VECTOR]],
    "dict": lambda: {TEXT: TEXT},
    "dict by good names": lambda: {"id": TEXT, "vector": VECTOR, "metric_type": TEXT, "params": {"ef": TEXT}},
    "rows": lambda: [{"id": TEXT, "vector": VECTOR}],
    "rows of other fields": lambda: [{TEXT: TEXT, "id": NUMBER, "vector": [TEXT]}],
    "rows that differ": lambda: [{"id": NUMBER, "vector": VECTOR}, {"id": NUMBER}],
    "set": lambda: {TEXT},
    "array": lambda: np.array([FRACTION, FRACTION]),
    "array of objects": lambda: np.array([TEXT, NUMBER], dtype=object),
    "object": _Talking,
    "list of objects": lambda: [_Talking()],
    "exception": lambda: ValueError(TEXT),
    "search requests": lambda: [AnnSearchRequest([[TEXT]], TEXT, {"ef": TEXT}, 3, expr=f"a == {TEXT}")],
}
_ALSO_TAKEN = {
    "search": ("consistency_level", "expr", "filter_params", "group_by_field", "partition_names", "round_decimal"),
    "query": ("consistency_level", "filter_params", "partition_names", "offset", "limit"),
    "hybrid_search": ("consistency_level", "round_decimal"),
    "delete": ("expr", "filter_params", "expr_params"),
    "get": ("consistency_level",),
    "insert": ("consistency_level", "timeout"),
    "create_collection": ("consistency_level", "max_length", "num_shards", "num_partitions", "properties"),
    "load_collection": ("replica_number", "_resource_groups", "_refresh"),
    "search_iterator": ("consistency_level", "expr", "partition_names"),
    "query_iterator": ("consistency_level", "expr", "offset"),
}
"""Names in ``**kwargs`` that pymilvus looks at."""
_ENDLESS = frozenset({"offset", "timeout"})
"""Parameters where a number means to wait."""


def wrong_calls(method: str, function: Any, right: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a label and arguments: each parameter of a method wrong in each way, the others right."""
    parameters = list(inspect.signature(function).parameters.values())
    names = [parameter.name for parameter in parameters if parameter.kind is not parameter.VAR_KEYWORD]
    names = [name for name in names if name not in ("self", "args")]
    needed = [parameter.name for parameter in parameters if parameter.default is parameter.empty]
    good = {name: right[name] for name in needed if name in right}
    for name in (*names, *_ALSO_TAKEN.get(method, ())):
        for label, make in _WRONG.items():
            if not (name in _ENDLESS and label in ("number", "fraction")):
                yield f"{method}({name}={label})", good | {name: make()}


def right_values(method: str, collection: str) -> dict[str, Any]:
    """Values for a method's parameters, by name, that hold no secret."""
    values = sweep.values_of(method) | {"filter": "id >= 0", "limit": 3, "batch_size": 5, "index_params": None}
    return values | {"collection_name": collection, "old_name": collection, "timeout": 1}
