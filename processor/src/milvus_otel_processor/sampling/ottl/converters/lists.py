"""Converters of lists and maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milvus_otel_processor.sampling.ottl.coercion import a_list, a_map, any_value, string, string_like
from milvus_otel_processor.sampling.ottl.converters.base import Converter, Parameter, converter
from milvus_otel_processor.sampling.ottl.errors import OttlError
from milvus_otel_processor.sampling.ottl.values import equal, type_name

if TYPE_CHECKING:
    from milvus_otel_processor.sampling.ottl.values import Value


def _len(value: Value) -> int:
    if not isinstance(value, bytes | bytearray | list | tuple | dict):
        raise OttlError(f"Len: expected a string, a list or a map but got {type_name(value)}")
    return len(value)


def _contains(values: list[Value], item: Value) -> bool:
    return any(equal(value, item) for value in values)


def _index(target: Value, value: Value) -> int:
    if isinstance(target, bytes):
        if not isinstance(value, bytes):
            raise OttlError(f"Index: expected a string to look for but got {type_name(value)}")
        return target.find(value)
    return next((place for place, found in enumerate(a_list(target)) if equal(found, value)), -1)


def _coalesce(values: list[Value]) -> Value:
    return next((value for value in values if value is not None), None)


def _sort(target: Value, order: bytes | None) -> list[Value]:
    """Sort numbers as numbers, and texts, truths and nil together as texts; a list with anything else stays as it is."""
    values = a_list(target)
    kinds = {type(value) for value in values}
    if kinds <= {int, float}:
        return sorted(values, reverse=order == b"desc")
    if kinds <= {int, float, bytes, bool, type(None)}:
        return sorted(values, key=lambda value: string_like(value) or b"", reverse=order == b"desc")
    return list(values)


def _check_order(_: Value, order: bytes | None) -> None:
    if order not in (None, b"asc", b"desc"):
        raise ValueError(f"Sort: order: {order!r} is not known, expected asc or desc")


def _slice_to_map(
    target: list[Value], key_path: list[Value] | None, value_path: list[Value] | None
) -> dict[bytes, Value]:
    """Make a map of a list, by what is found at a path in each element, or by its place."""
    found = {}
    for place, element in enumerate(target):
        if (key_path is not None or value_path is not None) and type(element) is not dict:
            raise OttlError(f"SliceToMap: expected a list of maps but got {type_name(element)}")
        key = str(place).encode() if key_path is None else _at(element, key_path)
        if type(key) is not bytes:
            raise OttlError(f"SliceToMap: expected a string as key but got {type_name(key)}")
        found[key] = element if value_path is None else _at(element, value_path)
    return found


def _at(element: Value, path: list[Value]) -> Value:
    for key in path:
        if type(element) is not dict or key not in element:
            raise OttlError("SliceToMap: there is no such path in an element")
        element = element[key]
    return element


def _check_paths(_: Value, *paths: list[Value] | None) -> None:
    for path in paths:
        if path is not None and not (path and all(type(key) is bytes for key in path)):
            raise ValueError("SliceToMap: a path is a list of strings, and not empty")


CONVERTERS = {
    "Coalesce": converter(_coalesce, ("values", a_list)),
    "ContainsValue": converter(_contains, ("target", a_list), ("item", any_value)),
    "Index": converter(_index, ("target", any_value), ("value", any_value)),
    "Keys": converter(list, ("target", a_map)),
    "Len": converter(_len, ("target", any_value)),
    "SliceToMap": Converter(
        _slice_to_map,
        (
            Parameter("target", a_list),
            Parameter("key_path", a_list, optional=True, literal=True),
            Parameter("value_path", a_list, optional=True, literal=True),
        ),
        check=_check_paths,
    ),
    "Sort": Converter(
        _sort,
        (Parameter("target", any_value), Parameter("order", string, optional=True, literal=True)),
        check=_check_order,
    ),
    "Values": converter(lambda target: list(target.values()), ("target", a_map)),
}
