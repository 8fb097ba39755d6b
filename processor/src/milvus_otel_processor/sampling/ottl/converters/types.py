"""Converters that ask for types, and that change them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from milvus_otel_processor.sampling.ottl.coercion import (
    any_value,
    bool_like,
    bytes_like,
    double_like,
    int_like,
    string_like,
)
from milvus_otel_processor.sampling.ottl.converters.base import Converter, converter
from milvus_otel_processor.sampling.ottl.errors import OttlError
from milvus_otel_processor.sampling.ottl.values import SpanId, TraceId, Value
from milvus_otel_processor.spans.span import is_root

if TYPE_CHECKING:
    from milvus_otel_processor.sampling.ottl.context import SpanContext


def _is(*kinds: type) -> Converter:
    return converter(lambda value: type(value) in kinds, ("target", any_value))


def _is_empty(value: Value) -> bool:
    """Tell whether the value is nil, 0, false, or holds nothing."""
    return not (any(value) if isinstance(value, TraceId | SpanId) else value)


def _is_root_span(at: SpanContext) -> bool:
    return is_root(at.head.parent_span_id)


def _log(value: float | None) -> float:
    if value is None or value <= 0:
        raise OttlError(f"Log: expected a number greater than 0 but got {value}")
    return math.log(value)


def _id(kind: type[bytes], length: int) -> Converter:
    def make(value: bytes) -> bytes:
        if len(value) == 2 * length:
            try:
                value = bytes.fromhex(value.decode("ascii"))
            except ValueError:
                raise OttlError(f"{value!r} is not hexadecimal") from None
        if len(value) != length:
            raise OttlError(f"expected {length} bytes, or twice as many hexadecimal digits, but got {len(value)}")
        return kind(value)

    return converter(make, ("target", bytes_like))


IS_ROOT_SPAN = Converter(_is_root_span, gets="span")

CONVERTERS = {
    "Bool": converter(any_value, ("target", bool_like)),
    "Double": converter(any_value, ("target", double_like)),
    "Int": converter(any_value, ("target", int_like)),
    "String": converter(any_value, ("target", string_like)),
    "IsBool": _is(bool),
    "IsDouble": _is(float),
    "IsInt": _is(int),
    "IsList": _is(list, tuple),
    "IsMap": _is(dict),
    "IsString": _is(bytes),
    "IsEmpty": converter(_is_empty, ("target", any_value)),
    "IsRootSpan": IS_ROOT_SPAN,
    "Log": converter(_log, ("target", double_like)),
    "SpanID": _id(SpanId, 8),
    "TraceID": _id(TraceId, 16),
}
