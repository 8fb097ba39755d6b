"""Regular expressions in rules: RE2's, so that none can stall the processor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import re2

from milvus_otel_processor.sampling.text import valid

if TYPE_CHECKING:
    from collections.abc import Callable

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False  # they are raised


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
