"""Remarks on lists and keys that can never match: what several policies say in the same words.

Each remark is the path of a value in the policy's YAML, a colon, and what is to be said of it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

_LIKE_AN_EXPRESSION = re.compile(r"\^.*|.*(?<!\\)\$|.*\.[*+].*|.*\\[dws.].*", re.DOTALL)


def of_key(key: str, path: str) -> Iterator[str]:
    """Yield a remark where the key of an attribute is empty."""
    if not key:
        yield f"{path}: is empty, and no attribute has an empty key"


def of_texts(texts: Sequence[str], path: str, *, regex: bool = False) -> Iterator[str]:
    """Yield remarks on texts to compare with, or expressions to search for: empty, twice, or the one taken for the other."""
    if not texts:
        yield f"{path}: holds no text, so that nothing matches"
    seen: set[str] = set()
    for index, text in enumerate(texts):
        where, is_new = f"{path}[{index}]", text not in seen
        seen.add(text)
        if not text:
            yield f"{where}: is empty, and an empty {'expression matches every text' if regex else 'text matches nothing'}"
        elif not is_new:
            yield f"{where}: {text!r} stands here twice"
        elif not regex and _LIKE_AN_EXPRESSION.fullmatch(text):
            yield (
                f"{where}: {text!r} looks like a regular expression, and is compared as it stands; for expressions set "
                f"enabled_regex_matching: true"
            )


def of_doubles(values: Sequence[Hashable], path: str) -> Iterator[str]:
    """Yield a remark for each value that an earlier one says already."""
    seen: set[Hashable] = set()
    for index, value in enumerate(values):
        if value in seen:
            yield f"{path}[{index}]: {value!r} stands here twice"
        seen.add(value)


def of_rate(rate: int, burst: int, unit: str, *, path: str) -> Iterator[str]:
    """Yield remarks on a rate per second, `<unit>_per_second`, and on the burst that is allowed beside it."""
    if rate <= 0 and burst > 0:
        yield f"{path}.{unit}_per_second: {rate} lets nothing through but the first {burst} {unit} after the start"
    elif rate <= 0:
        yield f"{path}.{unit}_per_second: {rate} lets nothing through, so that no trace is sampled"
    if burst < 0:
        yield f"{path}.burst_capacity: {burst} is below 0, and counts as 0: twice {unit}_per_second"
