"""Regular expressions in rules: RE2's, so that none can stall the processor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import re2

from milvus_otel_processor.sampling.text import valid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False  # they are raised


def searcher(texts: Iterable[bytes]) -> Callable[[bytes], bool]:
    """Return a function that tells whether some bytes hold one of these texts, looking for all of them at once."""
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1  # bytes, whatever they are
    options.never_capture = True
    search = re2.compile(b"|".join(map(re2.escape, sorted(texts))), options).search
    return lambda found: search(found) is not None


def compiled(expression: str) -> Callable[[bytes], bool]:
    """Return a function that tells whether the UTF-8 form of a text holds a match of the expression.

    The expression is RE2's, the syntax of Go's `regexp`: it takes time in proportion to the text, whatever the expression.
    Raises ValueError, naming the expression and the reason, where it is not valid.
    """
    try:
        search = re2.compile(expression, _OPTIONS).search
    except re2.error as error:
        reason = error.args[0]
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise ValueError(
            f"{expression!r} is not a regular expression: {text}; expected the syntax of RE2 "
            f"(https://github.com/google/re2/wiki/Syntax)"
        ) from None
    return lambda text: search(valid(text)) is not None
