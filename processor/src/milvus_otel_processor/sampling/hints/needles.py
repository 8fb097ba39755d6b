"""What a trace's bytes have to hold for a policy to match: without it, the policy need not be asked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from milvus_otel_processor.spans.groups import Group

TELLING = 4
"""Bytes of a text from which on hardly any span has it by chance; with a shorter one, it is better to look for its key."""
_LITERAL = re.compile(r"\^?((?:[A-Za-z0-9_/ ,:;=@%&~<>!'\"#-]|\\[./_+*()\[\]{}^$|?-])+)\$?", re.ASCII)
"""An expression that is one literal text, anchored or not."""


class Needles(NamedTuple):
    """A policy matches only where a resource matches or, for each of `sets`, one of its texts is in the bytes of the spans.

    Where no resource has to be looked at, `resource_matches` is None.
    """

    sets: tuple[frozenset[bytes], ...]
    resource_matches: Callable[[Group], bool] | None = None


def literal_of(expression: str) -> bytes | None:
    """Return the text that every match of the expression holds, where it is easily seen, or None."""
    match = _LITERAL.fullmatch(expression)
    return re.sub(r"\\(.)", r"\1", match.group(1)).encode() if match else None


def of_values(key: str, values: Sequence[str], *, regex: bool) -> tuple[frozenset[bytes], ...]:
    """Return the sets for an attribute that has to have one of these values: its key, and if they are plain the values."""
    texts = [literal_of(value) for value in values] if regex else [value.encode() for value in values if value]
    plain = frozenset(text for text in texts if text is not None)
    by_key = (frozenset((key.encode(),)),)
    return (plain, *by_key) if plain and None not in texts else by_key
