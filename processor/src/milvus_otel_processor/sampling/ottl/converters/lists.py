"""Converters of lists and maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milvus_otel_processor.sampling.ottl.coercion import a_list, a_map, any_value
from milvus_otel_processor.sampling.ottl.converters.base import converter
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


CONVERTERS = {
    "Coalesce": converter(_coalesce, ("values", a_list)),
    "ContainsValue": converter(_contains, ("target", a_list), ("item", any_value)),
    "Index": converter(_index, ("target", any_value), ("value", any_value)),
    "Keys": converter(list, ("target", a_map)),
    "Len": converter(_len, ("target", any_value)),
    "Values": converter(lambda target: list(target.values()), ("target", a_map)),
}
