"""Looks for several texts at once in bytes."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import re2

if TYPE_CHECKING:
    from collections.abc import Iterable

_REMEMBERED = 64


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

    def all_in(self, found: bytes) -> frozenset[bytes]:
        """Return the texts that are there."""
        if self._search(found) is None:
            return frozenset()
        plain = set(self._findall(found))
        hidden = {other for text in plain for other in self._hidden_by[text]} - plain
        return frozenset(plain.union([text for text in hidden if text in found]))


def _hides(text: bytes, other: bytes) -> bool:
    """Tell whether the other can begin within the text, so that a search that goes on behind the text does not see it."""
    return text != other and any(other.startswith(text[at:]) or text.startswith(other, at) for at in range(len(text)))


@lru_cache(maxsize=_REMEMBERED)
def searcher(texts: frozenset[bytes]) -> Searcher:
    """Return what looks for these texts."""
    return Searcher(texts)
