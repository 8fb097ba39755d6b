"""Functions that read one attribute's value from a call's arguments, or from what it returned.

Each takes a bounded number of steps, whatever the size of the data: lengths, never elements. None means: no attribute.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry.util.types import AttributeValue

from milvus_otel_client.sanitizer import MAX_LENGTH, without_literals

Value = AttributeValue | None
FromArguments = Callable[[Mapping[str, Any]], Value]
ManyFromArguments = Callable[[Mapping[str, Any], dict[str, Any]], None]
"""Adds what it finds to the dict, by attribute."""
FromResult = Callable[[Any], Value]

_MAX_NAMES = 64
_CONSISTENCY_LEVELS = ("Strong", "Session", "Bounded", "Eventually", "Customized")
"""By the numbers of Milvus' ``ConsistencyLevel``."""


def text(*names: str) -> FromArguments:
    """Read the first of these arguments that is a text with something in it."""

    def extract(arguments: Mapping[str, Any]) -> Value:
        for name in names:
            value = arguments.get(name)
            if isinstance(value, str) and value:
                return value
        return None

    return extract


def number(name: str) -> FromArguments:
    """Read an argument that is an integer."""

    def extract(arguments: Mapping[str, Any]) -> Value:
        return _integer(arguments.get(name))

    return extract


def length(*names: str) -> FromArguments:
    """Read how many items the first of these arguments that was passed has; a single id is one."""

    def extract(arguments: Mapping[str, Any]) -> Value:
        for name in names:
            value = arguments.get(name)
            if value is not None:
                return 1 if isinstance(value, (str, int)) else _length(value)
        return None

    return extract


def rows(name: str) -> FromArguments:
    """Read how many rows an argument holds; a batch has two at least, by the conventions, and a dict is one row."""

    def extract(arguments: Mapping[str, Any]) -> Value:
        value = arguments.get(name)
        return None if isinstance(value, dict) else _batch(_length(value))

    return extract


def rows_of_columns(name: str) -> FromArguments:
    """Read how many rows an argument holds that is a list of columns, as the ORM's ``Collection.insert`` sends them."""

    def extract(arguments: Mapping[str, Any]) -> Value:
        columns = arguments.get(name)
        if isinstance(columns, list) and columns and isinstance(columns[0], Mapping):
            return _batch(_length(columns[0].get("values")))
        return None

    return extract


def names_of(*arguments_names: str) -> FromArguments:
    """Read names: an argument that is a name, or a list of names (of which the first 64 are kept)."""

    def extract(arguments: Mapping[str, Any]) -> Value:
        for argument_name in arguments_names:
            value = arguments.get(argument_name)
            if isinstance(value, str) and value:
                return (value,)
            if isinstance(value, (list, tuple)) and value:
                return tuple(name for name in value[:_MAX_NAMES] if isinstance(name, str))
        return None

    return extract


def only_name(name: str) -> FromArguments:
    """Read a name from a list with just this one in it; a list of many names nothing in particular."""

    def extract(arguments: Mapping[str, Any]) -> Value:
        value = arguments.get(name)
        if isinstance(value, (list, tuple)):
            value = value[0] if len(value) == 1 else None
        return value if isinstance(value, str) and value else None

    return extract


def settings(argument: str, keys: Mapping[str, str]) -> ManyFromArguments:
    """Read numbers or names out of a dict argument, or out of the dict ``params`` in it: attribute by key."""

    def extract(arguments: Mapping[str, Any], found: dict[str, Any]) -> None:
        outer = arguments.get(argument)
        if not isinstance(outer, dict):
            return
        inner = outer.get("params")
        for place in (outer, inner) if isinstance(inner, dict) else (outer,):
            for key in place.keys() & keys:
                value = place[key]
                if isinstance(value, (str, int, float)):
                    found[keys[key]] = value

    return extract


def collection_name(arguments: Mapping[str, Any]) -> Value:
    """Read the argument that nearly every method has."""
    name = arguments.get("collection_name")
    return name if isinstance(name, str) and name else None


def client_request_id(arguments: Mapping[str, Any]) -> Value:
    """Read the id that the application gave the request: from 2.6.1 on it is in the ``CallContext``."""
    for name in ("client_request_id", "client-request-id"):
        given = arguments.get(name)
        if isinstance(given, str) and given:
            return given
    given = getattr(arguments.get("context"), "_client_request_id", None)
    return given if isinstance(given, str) and given else None


def consistency_level(arguments: Mapping[str, Any]) -> Value:
    """Read the consistency level by its name, whether a name or a number was passed."""
    level = arguments.get("consistency_level")
    if isinstance(level, str):
        return level
    if isinstance(level, int) and 0 <= level < len(_CONSISTENCY_LEVELS):
        return _CONSISTENCY_LEVELS[level]
    return None


def sub_request_fields(arguments: Mapping[str, Any]) -> Value:
    """Read the vector fields of a hybrid search, joined by commas in the order of its requests."""
    requests = arguments.get("reqs")
    if not isinstance(requests, (list, tuple)):
        return None
    fields = (getattr(request, "anns_field", None) for request in requests[:_MAX_NAMES])
    return ",".join(field for field in fields if isinstance(field, str)) or None


def sub_request_nq(arguments: Mapping[str, Any]) -> Value:
    """Read the number of query vectors of a hybrid search: each of its requests has as many."""
    requests = arguments.get("reqs")
    return _length(getattr(requests[0], "data", None)) if isinstance(requests, (list, tuple)) and requests else None


def filter_text(arguments: Mapping[str, Any], names: tuple[str, ...], *, literals: bool) -> str | None:
    """Read the filter expression, without its literals unless they are asked for."""
    for name in names:
        expression = arguments.get(name)
        if isinstance(expression, str) and expression:
            return expression[:MAX_LENGTH] if literals else without_literals(expression)
    return None


def returned_hits(result: Any) -> Value:
    """Count the hits of all queries of a search: one length for each query, nothing is read from a hit."""
    # list.__iter__, since pymilvus' own iterators fill lazy fields in
    return sum(map(len, list.__iter__(result))) if isinstance(result, list) else None


def returned_rows(result: Any) -> Value:
    """Count the rows of a query."""
    return len(result) if isinstance(result, list) else None


def result_number(*names: str) -> FromResult:
    """Read an integer from the result, which is a ``MutationResult``, or MilvusClient's dict."""

    def extract(result: Any) -> Value:
        for name in names:
            value = result.get(name) if isinstance(result, dict) else getattr(result, name, None)
            if (found := _integer(value)) is not None:
                return found
        return None

    return extract


def _integer(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _batch(size: int | None) -> int | None:
    return size if size is not None and size > 1 else None


def _length(value: Any) -> int | None:
    if isinstance(value, list):
        return len(value)
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and shape:
        return _integer(shape[0])
    return len(value) if hasattr(type(value), "__len__") else None
