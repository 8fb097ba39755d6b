"""Functions that read one attribute's value from an argument, or from what the call returned.

Each takes a bounded number of steps, whatever the size of the data: lengths, never elements. They are asked for what
was passed and is not None. What they return becomes the attribute; None means: no attribute.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry.util.types import AttributeValue

Value = AttributeValue | None
FromArgument = Callable[[Any], Value]
CollectionOf = Callable[[Any], str | None]
ManyFromArgument = Callable[[Any, dict[str, Any]], None]
"""Adds what it finds to the dict, by attribute."""
FromResult = Callable[[Any], Value]

MAX_NAME = 255
"""Characters, in Milvus."""
_MAX_NAMES = 64
_NAME = re.compile(r"[A-Za-z0-9_$][\w$.:-]{0,254}", re.ASCII)
"""What Milvus may take for a name; a text that cannot be one is data in the wrong place."""
_FIELD = re.compile(
    r"""(?:[A-Za-z_$][\w$.]{0,254}(?:\[(?:"[^\W\d][\w.$:/-]{0,63}"|'[^\W\d][\w.$:/-]{0,63}'|[A-Za-z_]\w{0,254})\])*
    |\*|%|count\(\*\))""",
    re.ASCII | re.VERBOSE,
)
"""The name of a field, or a path into one."""
_CONSISTENCY_LEVELS = ("Strong", "Session", "Bounded", "Eventually", "Customized")
"""By the numbers of Milvus' ``ConsistencyLevel``."""


def text(value: Any) -> str | None:
    """Read a text that is not too long for a name."""
    return value if isinstance(value, str) and 0 < len(value) <= MAX_NAME else None


def as_name(value: Any) -> str | None:
    """Read the name of something in Milvus."""
    return value if value and isinstance(value, str) and _NAME.fullmatch(value) else None


def as_field(value: Any) -> str | None:
    """Read the name of a field, or a path into one."""
    return value if value and isinstance(value, str) and _FIELD.fullmatch(value) else None


def integer(value: Any) -> int | None:
    """Read an integer."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def length(value: Any) -> int | None:
    """Read how many items there are; a single id is one."""
    if isinstance(value, list):  # nearly always
        return len(value)
    return 1 if isinstance(value, (str, int)) else _length(value)


def rows(value: Any) -> int | None:
    """Read how many rows there are; a batch has two at least, by the conventions, and a dict is one row."""
    return None if isinstance(value, dict) else _batch(_length(value))


def rows_of_columns(columns: Any) -> int | None:
    """Read how many rows there are in a list of columns, as the ORM's ``Collection.insert`` sends them."""
    if isinstance(columns, list) and columns and isinstance(columns[0], Mapping):
        return _batch(_length(columns[0].get("values")))
    return None


def names(value: Any) -> tuple[str, ...] | None:
    """Read names: a name, or a list of names (of which the first 64 are kept)."""
    return _many(as_name, value)


def fields(value: Any) -> tuple[str, ...] | None:
    """Read names of fields, or one (of a list the first 64 are kept)."""
    return _many(as_field, value)


def only_name(value: Any) -> str | None:
    """Read a name from a list with just this one in it; a list of many names nothing in particular."""
    if isinstance(value, (list, tuple)):
        value = value[0] if len(value) == 1 else None
    return as_name(value)


def settings(keys: Mapping[str, str]) -> ManyFromArgument:
    """Read numbers and names out of a dict, or out of the dict ``params`` in it: attribute by key."""

    def extract(outer: Any, found: dict[str, Any]) -> None:
        if not isinstance(outer, dict):
            return
        inner = outer.get("params")
        for place in (outer, inner) if isinstance(inner, dict) else (outer,):
            for key in place.keys() & keys:
                value = place[key]
                if isinstance(value, (int, float)) or as_name(value) is not None:
                    found[keys[key]] = value

    return extract


def consistency_level(level: Any) -> str | None:
    """Read the consistency level by its name, whether a name or a number was passed."""
    if isinstance(level, str):
        return level if level in _CONSISTENCY_LEVELS else None
    if isinstance(level, int) and 0 <= level < len(_CONSISTENCY_LEVELS):
        return _CONSISTENCY_LEVELS[level]
    return None


def sub_request_fields(requests: Any) -> str | None:
    """Read the vector fields of a hybrid search, joined by commas in the order of its requests."""
    if not isinstance(requests, (list, tuple)):
        return None
    found = (as_field(getattr(request, "anns_field", None)) for request in requests[:_MAX_NAMES])
    return ",".join(each for each in found if each is not None) or None


def sub_request_nq(requests: Any) -> int | None:
    """Read the number of query vectors of a hybrid search: each of its requests has as many."""
    return _length(getattr(requests[0], "data", None)) if isinstance(requests, (list, tuple)) and requests else None


def returned_hits(result: Any) -> Value:
    """Count the hits of all queries of a search: one length for each query, nothing is read from a hit."""
    # list.__iter__, since pymilvus' own iterators fill lazy fields in
    return sum(map(len, list.__iter__(result))) if isinstance(result, list) else None


def returned_rows(result: Any) -> Value:
    """Count the rows of a query."""
    return len(result) if isinstance(result, list) else None


def result_number(key: str) -> FromResult:
    """Read an integer from the result, which is a ``MutationResult``, or MilvusClient's dict."""

    def extract(result: Any) -> Value:
        return integer(result.get(key) if isinstance(result, dict) else getattr(result, key, None))

    return extract


def _many(read: Callable[[Any], str | None], value: Any) -> tuple[str, ...] | None:
    if isinstance(value, (list, tuple)) and value:
        return tuple(found for item in value[:_MAX_NAMES] if (found := read(item)) is not None)
    return None if (found := read(value)) is None else (found,)


def _batch(size: int | None) -> int | None:
    return size if size is not None and size > 1 else None


def _length(value: Any) -> int | None:
    if isinstance(value, list):
        return len(value)
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and shape:
        return integer(shape[0])
    return len(value) if hasattr(type(value), "__len__") else None
