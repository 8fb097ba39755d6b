"""What a call was given that is the application's own: its filters, and the values that a message may repeat."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from milvus_otel_client.extractors import as_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_MAX_PARTS = 16
"""Requests that are combined, or rerankers, of one call."""
_MAX_VALUES = 4096
"""Values that are looked for where a message has something that may be one."""
_FEW_VALUES = 64
"""Values that are looked for in any message."""
_MAX_VALUE = 1024
"""Characters of a value that are looked for."""
_MIN_VALUE = 3
_MAX_BITS = 4096
"""Of an integer; Python refuses to write much larger ones."""
_MAX_DEPTH = 8

_FILTER, _COMBINED, _VALUE, _NAME, _HARMLESS = range(5)
_KINDS = (
    dict.fromkeys(("expr", "expression", "filter"), _FILTER)
    | dict.fromkeys(("ranker", "reqs", "rerank"), _COMBINED)
    | dict.fromkeys(
        (
            "data",
            "entities",
            "expr_params",
            "filter_params",
            "ids",
            "new_password",
            "old_password",
            "password",
            "texts",
        ),
        _VALUE,
    )
    | dict.fromkeys(
        ("consistency_level", "context", "limit", "offset", "param", "params", "round_decimal", "schema", "timeout"),
        _HARMLESS,
    )
)
"""What the arguments hold; others hold names and settings, in the place of which there may be a value."""
_VALUE_KEYS = frozenset({"filter", "queries", "text"})
"""Keys in the settings of rerankers and highlighters that hold the application's values."""
_MAY_BE_A_VALUE = re.compile(r"""["'`]|actual=|[0-9]{3}""")
_PARTS = ("data", "expr_params", "functions", "params")
"""Attributes of pymilvus' own classes (``AnnSearchRequest``, ``Function``, ``FunctionScore``, highlighters) that hold more."""
_NAMING_PARTS = ("functions", "params")
"""Those with settings and names among the values."""


class Given:
    """The filters and the values of one call's arguments."""

    __slots__ = ("_objects", "_texts", "filters")

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        self.filters: list[str] = []
        """The call's own, those of the requests that it combines, and those of its rerankers."""
        self._texts: list[tuple[str, bool]] = []
        self._objects: list[tuple[Any, bool]] = []
        for name, value in arguments.items():
            if value is None or (kind := _KINDS.get(name, _NAME)) == _HARMLESS:
                continue
            if kind == _FILTER:
                self._take_filter(value)
            elif isinstance(value, str):
                self._texts.append((value, kind == _NAME))
            elif not (isinstance(value, list) and value and _is_vector(value[0])):
                if kind == _COMBINED:
                    self._take_filters_of(value)
                self._objects.append((value, kind != _VALUE))

    def _take_filter(self, expression: Any) -> None:
        if isinstance(expression, bytes):  # gRPC takes them too
            expression = expression.decode(errors="replace")
        if isinstance(expression, str) and expression:
            self.filters.append(expression)

    def _take_filters_of(self, combined: Any) -> None:
        for each in combined[:_MAX_PARTS] if isinstance(combined, (list, tuple)) else (combined,):
            self._take_filter(getattr(each, "expr", None))
            functions = getattr(each, "functions", None)
            for function in (each, *functions[:_MAX_PARTS]) if isinstance(functions, list) else (each,):
                params = getattr(function, "params", None)
                if isinstance(params, dict):
                    self._take_filter(params.get("filter"))

    def repeated_in(self, text: str) -> list[str] | None:
        """Return those of the values that are in the text, and what stands there for a name and cannot be one.

        Vectors are not looked at, which Milvus never quotes. None where there are too many values to look at, and the
        text may have one of them.
        """
        found: list[str] = []
        for value, is_name in self._texts:
            _look_for(value[:_MAX_VALUE], text, found, is_name=is_name)
        count = 0
        for given, may_be_name in self._objects:
            for value, is_name in _texts_in(given, is_name=may_be_name, depth=0):
                count += 1
                if count == _FEW_VALUES and _MAY_BE_A_VALUE.search(text) is None:
                    return found
                if count == _MAX_VALUES:
                    return None
                _look_for(value, text, found, is_name=is_name)
        return found


def _look_for(value: str, text: str, found: list[str], *, is_name: bool) -> None:
    if value in text and len(value) >= _MIN_VALUE and not (is_name and as_name(value) is not None):
        found.append(value)


def _texts_in(value: Any, *, is_name: bool, depth: int) -> Iterator[tuple[str, bool]]:
    """Yield each value, as a text, with whether it may be a name; of what is unknown an empty text, to be counted."""
    if isinstance(value, str):
        yield value[:_MAX_VALUE], is_name
    elif depth > _MAX_DEPTH or isinstance(value, bool):
        yield "", is_name
    elif isinstance(value, (list, tuple)):
        if value and not _is_vector(value[0]):
            yield from _texts_in_all(value, is_name=is_name, depth=depth)
    elif isinstance(value, dict):
        for key, each in value.items():
            yield str(key)[:_MAX_VALUE], True
            yield from _texts_in(each, is_name=is_name and key not in _VALUE_KEYS, depth=depth + 1)
    elif isinstance(value, (set, frozenset)):
        yield from _texts_in_all(value, is_name=is_name, depth=depth)
    elif isinstance(value, int):
        yield str(value) if value.bit_length() < _MAX_BITS else "", is_name
    elif isinstance(value, float):
        yield repr(value), is_name
    else:
        yield from _texts_in_other(value, is_name=is_name, depth=depth)


def _texts_in_all(values: Iterable[Any], *, is_name: bool, depth: int) -> Iterator[tuple[str, bool]]:
    for each in values:
        yield from _texts_in(each, is_name=is_name, depth=depth + 1)


def _texts_in_other(value: Any, *, is_name: bool, depth: int) -> Iterator[tuple[str, bool]]:
    """Yield the texts in an object of pymilvus, and in NumPy's numbers and arrays."""
    if type(value).__module__.startswith("pymilvus."):
        for part in _PARTS:
            inner = getattr(value, part, None)
            if inner is not None:
                yield from _texts_in(inner, is_name=is_name and part in _NAMING_PARTS, depth=depth + 1)
    elif hasattr(value, "dtype") and hasattr(value, "tolist"):
        if not value.shape:
            yield from _texts_in(value.item(), is_name=is_name, depth=depth + 1)
        elif value.dtype.kind in "iuUSO" and value.dtype.itemsize > 1:  # not a vector
            yield from _texts_in(value[:_MAX_VALUES].tolist(), is_name=is_name, depth=depth + 1)
    else:
        yield "", is_name


def _is_vector(first: Any) -> bool:
    """Tell by its first item whether a list is a vector, or a list of them."""
    if isinstance(first, list) and first:
        first = first[0]
    return isinstance(first, float)
