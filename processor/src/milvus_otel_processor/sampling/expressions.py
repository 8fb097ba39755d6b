"""Regular expressions in rules: RE2's, so that none can stall the processor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import re2

from milvus_otel_processor.sampling.text import valid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False  # they are raised


class Searcher:
    """Looks for several texts at once, in bytes, whatever they are."""

    def __init__(self, texts: Iterable[bytes]) -> None:
        texts = sorted(texts)
        options = re2.Options()
        options.encoding = re2.Options.Encoding.LATIN1
        options.never_capture = True
        expression = re2.compile(b"|".join(map(re2.escape, texts)), options)
        self._search, self._findall = expression.search, expression.findall
        self._hidden_by = {text: [other for other in texts if _hides(text, other)] for text in texts}

    def any_in(self, found: bytes) -> bool:
        """Tell whether one of the texts is there."""
        return self._search(found) is not None

    def all_in(self, found: bytes) -> frozenset[bytes]:
        """Return the texts that are there."""
        plain = set(self._findall(found))
        hidden = {other for text in plain for other in self._hidden_by[text]} - plain
        return frozenset(plain.union([text for text in hidden if text in found]))


def _hides(text: bytes, other: bytes) -> bool:
    """Tell whether the other can begin within the text, so that a search that goes on behind the text does not see it."""
    return text != other and any(other.startswith(text[at:]) or text.startswith(other, at) for at in range(len(text)))


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
