"""How a list of `values` or `names` is matched against text: exactly, or by regular expressions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milvus_otel_processor.remembering import remember
from milvus_otel_processor.sampling.expressions import compiled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def check_expressions(expressions: Sequence[str]) -> None:
    """Raise ValueError, naming the expression and the reason, where one is not a regular expression."""
    for expression in expressions:
        compiled(expression)


def matcher(values: Sequence[str], *, regex: bool, cache_max_size: int) -> Callable[[bytes], bool]:
    """Return a function that tells whether a text is one of `values` or, with `regex`, holds a match of one of them.

    The function takes the text as the bytes of its UTF-8 form. Expressions are searched for, not anchored, and their
    answers remembered, as in the Collector's `string_attribute`. An empty value matches nothing when matching exactly, likewise.
    """
    if not regex:
        return frozenset(value.encode() for value in values if value).__contains__
    searches = [compiled(value) for value in values]

    @remember(cache_max_size)
    def matches(text: bytes) -> bool:
        return any(search(text) for search in searches)

    return matches
