"""Takes out of Milvus' messages what is the application's: the filter, and values that Milvus repeats.

Milvus quotes the filter that it could not parse, and the literal in it that was the trouble; some of its checks quote a
value of a row, or an id. What the call was given is known here, so it can be found in the message.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from milvus_otel_client.given_values import Given
from milvus_otel_client.sanitizer import without_literals

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_MESSAGE = 4096
_MAX_WORDS_FROM = 1024
_MAX_REPEATS = 16
_MAX_KEPT_LENGTH = 256
"""Characters of a message, and of a filter, whose result is kept."""
_MAX_NAMES = 8
_MANY = frozenset({""})
"""More words than two names have, in the place of which no name has any."""
_KNOWN_BEGINNING = 64
"""Characters by which the filter is found; it can be megabytes."""
_WORD = re.compile(r"\w+")
_QUOTE_OR_WORD = re.compile(r"""\w+|["'`@\\]""")
_ABOUT_A_FILTER = ("expr", "plan", "pars", "predicate", "template", "cast", "filter")
"""What a message says, in small letters, that may be about a literal of the filter."""
_QUOTED = re.compile(r"""(?<!\w)'(?:[^'\\]|\\.)*'?|"(?:[^"\\]|\\.)*"?|`[^`]*`?|(?<!\w)\d[\w.:+-]*""", re.DOTALL)
"""A text in quotes, or a number: Milvus may write a literal in another way than the filter did."""

_MILVUS_WORDS = frozenset(
    _WORD.findall("""
    a actual alias already and any are available be been by can cannot channel cluster code collection collections
    count database default dimension disk does down empty enabled error exceed exceeded exceeds exist exists
    expected fail failed field found full group has have in index invalid is it leader length limit limited load
    loaded loading maximum memory metric mismatch missing must no node nodes not number of on only or out parameter
    partition partitions permission permitted please primary privilege quota rate ready released replica request
    resource resources retry role schema search segment server service shard shards should size state supported
    system than the this timeout to too try type unavailable unexpected unsupported user valid vector with
    """)
)
"""Words that Milvus' most frequent refusals are made of: in Milvus' mouth they tell nothing of the application."""


def is_milvus_own(message: str, told: frozenset[str]) -> bool:
    """Tell whether a message has nothing but Milvus' own words and those that are told anyway.

    Most refusals are so (``collection not found[database=default][collection=books]``), and need no further look.
    """
    return len(message) <= _MAX_KEPT_LENGTH and _words_beyond_milvus(message) <= told


@lru_cache(maxsize=128)
def _words_beyond_milvus(message: str) -> frozenset[str]:
    found = frozenset(word for word in _QUOTE_OR_WORD.findall(message) if word not in _MILVUS_WORDS)
    return found if len(found) <= _MAX_NAMES else _MANY


def without_private(message: str, arguments: Mapping[str, Any], *, literals: bool = False) -> str:
    """Return the message without the values that the call was given, and without its filters' unless asked for."""
    text, given = message, Given(arguments)
    if not literals:
        for expression in given.filters:
            text = _without_filter(text, expression)
    text = text[:_MAX_MESSAGE]
    found = given.repeated_in(text)
    if found is None:  # more values than can be looked for
        return _QUOTED.sub("?", text)
    if found:
        for value in sorted(found, key=len, reverse=True):
            text = text.replace(value, "?")
    return text


def _without_filter(message: str, expression: str) -> str:
    if len(message) <= _MAX_KEPT_LENGTH and len(expression) <= _MAX_KEPT_LENGTH:
        return _without_short_filter(message, expression)
    return _with_filter_replaced(message, expression)


@lru_cache(maxsize=128)
def _without_short_filter(message: str, expression: str) -> str:
    """Keep the result: what Milvus says of a collection that is missing it says again and again."""
    said = _WORD.findall(message)
    if (
        not _is_about_a_filter(message)
        and expression not in message
        and set(said).isdisjoint(_WORD.findall(expression))
    ):
        return message
    return _with_filter_replaced(message, expression)


def _with_filter_replaced(message: str, expression: str) -> str:
    shown = without_literals(expression) or "?"
    hidden = set(_WORD.findall(expression[:_MAX_WORDS_FROM])).difference(_WORD.findall(shown))
    parts: list[str] = []
    rest, beginning = message, expression[:_KNOWN_BEGINNING]
    while (at := rest.find(beginning)) >= 0 and len(parts) < _MAX_REPEATS:
        parts += [_without_words(rest[: min(at, _MAX_MESSAGE)], hidden), shown]
        rest = rest[at + len(expression) :]
    rest = rest[:_MAX_MESSAGE]
    if parts or _is_about_a_filter(rest):
        rest = _QUOTED.sub(lambda found: _unless_shown(found.group(), shown), rest)
    return "".join(parts) + _without_words(rest, hidden)


def _is_about_a_filter(message: str) -> bool:
    small = message.lower()
    return any(word in small for word in _ABOUT_A_FILTER)


def _unless_shown(quoted: str, shown: str) -> str:
    """Return the quoted text if it is a name that is shown anyway."""
    inner = quoted[1:-1]
    return quoted if inner and not quoted[0].isdigit() and inner in _WORD.findall(shown) else "?"


def _without_words(text: str, hidden: set[str]) -> str:
    if hidden.isdisjoint(_WORD.findall(text)):
        return text
    return _WORD.sub(lambda found: "?" if found.group() in hidden else found.group(), text)
