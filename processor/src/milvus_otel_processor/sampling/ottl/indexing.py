"""`["key"]` and `[0]` behind a path or a converter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from milvus_otel_processor.sampling.ottl.errors import OttlError
from milvus_otel_processor.sampling.ottl.nodes import Literal, Operand
from milvus_otel_processor.sampling.ottl.values import Value, type_name, value_of

if TYPE_CHECKING:
    from milvus_otel_processor.sampling.ottl.paths import KeyedGetter


def attribute_at(read: KeyedGetter, keys: list[Operand], *, in_span: bool) -> Operand:
    """Return the attribute with the first key, and what the other keys find in it; nil where there is no such key.

    `in_span` tells whether the attributes are in the bytes of the span.

    Raises OttlError, when asked, at a place beyond the end of a list and at a value that cannot be indexed.
    """
    first, *others = keys
    if others:
        gets = [key.get for key in others]
        get_first = first.get

        def nested(at: Any) -> Value:
            found = read(at, _key(get_first(at)))
            return None if found is None else _within(value_of(found), [get(at) for get in gets])

        return Operand(nested)
    if isinstance(first, Literal) and isinstance(first.value, bytes):
        name = first.value

        def attribute(at: Any) -> Value:
            found = read(at, name)
            return None if found is None else value_of(found)

        return Operand(attribute, key=name if in_span else None, is_verbatim=in_span)
    get_key = first.get

    def computed(at: Any) -> Value:
        found = read(at, _key(get_key(at)))
        return None if found is None else value_of(found)

    return Operand(computed)


def _key(key: Value) -> bytes:
    if not isinstance(key, bytes):
        raise OttlError(f"expected a string as key of an attribute but got {type_name(key)}")
    return key


def _within(value: Value, keys: list[Value]) -> Value:
    for key in keys:
        if isinstance(value, dict):
            if _key(key) not in value:
                return None
            value = value[key]
        elif isinstance(value, list):
            value = _element(value, key)
        else:
            raise OttlError(f"{type_name(value)} cannot be indexed")
    return value


def _element(value: list[Value] | bytearray | tuple[Value, ...], key: Value) -> Value:
    if type(key) is not int:
        raise OttlError(f"expected an integer as index of a list but got {type_name(key)}")
    if not 0 <= key < len(value):
        raise OttlError(f"index {key} is out of bounds")
    return value[key]


def element_at(operand: Operand, keys: list[Operand]) -> Operand:
    """Return what the keys find in a converter's result. Raises OttlError, when asked, where there is no such key."""
    get, gets = operand.get, [key.get for key in keys]

    def element(at: Any) -> Value:
        value = get(at)
        for get_key in gets:
            key = get_key(at)
            if isinstance(value, dict) and isinstance(key, bytes):
                if key not in value:
                    raise OttlError(f"there is no key {key.decode('utf-8', 'replace')!r} in the map")
                value = value[key]
            elif isinstance(value, list | bytearray):
                value = _element(value, key)
            else:
                raise OttlError(f"{type_name(value)} cannot be indexed by {type_name(key)}")
        return value

    return Operand(element, is_converter=True)
