"""Takes out of Milvus' messages what is the application's: the filter, and values that Milvus repeats.

Milvus quotes the filter that it could not parse, and the literal in it that was the trouble; some of its checks quote a
value of a row, or an id. What the call was given is known here, so it can be found in the message.
"""

from __future__ import annotations

import itertools
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from milvus_otel_client.extractors import as_name
from milvus_otel_client.sanitizer import without_literals

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_MESSAGE = 4096
_MAX_WORDS_FROM = 1024
_MAX_REPEATS = 16
_MAX_KEPT = 256
"""Characters of a message or an expression whose words are kept."""
_MAX_VALUES = 32
_MAX_VALUE = 1024
_MIN_VALUE = 3
_MAX_BITS = 4096
"""Of an integer; Python refuses to write much larger ones."""
_KNOWN_BEGINNING = 64
"""Characters by which the filter is found; it can be megabytes."""
_WORD = re.compile(r"\w+")
_ABOUT_A_FILTER = ("expr", "plan", "pars", "predicate", "template", "cast", "filter")
"""What a message says, in small letters, that may be about a literal of the filter."""
_QUOTED = re.compile(r"""(?<!\w)'(?:[^'\\]|\\.)*'?|"(?:[^"\\]|\\.)*"?|`[^`]*`?|(?<!\w)\d[\w.:+-]*""", re.DOTALL)
"""A text in quotes, or a number: Milvus may write a literal in another way than the filter did."""
_VALUE_ARGUMENTS = frozenset(
    {"data", "entities", "expr_params", "filter_params", "ids", "new_password", "old_password", "password"}
)
"""The arguments that hold the application's values; the others hold names and settings."""
_FILTER_ARGUMENTS = ("expr", "expression", "filter")

_HARMLESS_ARGUMENTS = frozenset(
    {
        *_FILTER_ARGUMENTS,
        "consistency_level",
        "context",
        "highlighter",
        "limit",
        "offset",
        "param",
        "params",
        "ranker",
        "round_decimal",
        "schema",
        "timeout",
    }
)
"""Arguments that hold neither, filters apart, which are looked at by themselves."""


def without_private(message: str, arguments: Mapping[str, Any], *, literals: bool = False) -> str:
    """Return the message without the values that the call was given, and without the filter's unless asked for."""
    text = message
    for name in () if literals else _FILTER_ARGUMENTS:
        expression = arguments.get(name)
        if expression and isinstance(expression, (str, bytes)):  # gRPC takes both
            text = _without_filter(
                text, expression if isinstance(expression, str) else expression.decode(errors="replace")
            )
    text = text[:_MAX_MESSAGE]
    if found := _repeated_values(text, arguments):
        for value in sorted(found, key=len, reverse=True):
            text = text.replace(value, "?")
    return text


def _without_filter(message: str, expression: str) -> str:
    if len(message) <= _MAX_KEPT and len(expression) <= _MAX_KEPT:
        said, is_about_a_filter = _read(message)
        if not is_about_a_filter and expression not in message and said.isdisjoint(_words_of(expression)):
            return message  # as most are, such as those of a collection that is missing
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


@lru_cache(maxsize=128)
def _read(message: str) -> tuple[frozenset[str], bool]:
    """Return the words of a short message, and whether it may be about a literal of the filter."""
    return frozenset(_WORD.findall(message)), _is_about_a_filter(message)


@lru_cache(maxsize=128)
def _words_of(expression: str) -> frozenset[str]:
    return frozenset(_WORD.findall(expression))


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


def _repeated_values(text: str, arguments: Mapping[str, Any]) -> list[str]:
    """Return those of the call's values that are in the text, and what stands there for a name and cannot be one.

    A bounded number of texts and integers is looked at, and no vectors, which Milvus never quotes.
    """
    found: list[str] = []
    for name in arguments.keys() - _HARMLESS_ARGUMENTS:
        value = arguments[name]
        if value is None:
            continue
        is_name = name not in _VALUE_ARGUMENTS
        if isinstance(value, str):
            is_looked_for = value[:_MAX_VALUE] in text and not (is_name and as_name(value) is not None)
        elif isinstance(value, list):
            is_looked_for = bool(value) and not _is_vector(value[0])
        else:
            is_looked_for = not is_name or isinstance(value, tuple)
        if is_looked_for:
            _find_in(text, value, found, is_name=is_name)
    return found


def _is_vector(value: Any) -> bool:
    return type(value) is list and bool(value) and type(value[0]) is float


def _find_in(text: str, given: Any, found: list[str], *, is_name: bool) -> None:
    waiting = [given]
    for _ in range(_MAX_VALUES):
        if not waiting:
            return
        value = waiting.pop(0)
        if isinstance(value, str):
            value = value[:_MAX_VALUE]
            if value in text and len(value) >= _MIN_VALUE and not (is_name and as_name(value) is not None):
                found.append(value)
        elif isinstance(value, dict):
            waiting += itertools.islice(value.values(), _MAX_VALUES)
        elif isinstance(value, (list, tuple)):
            if value and not isinstance(value[0], float):
                waiting += value[:_MAX_VALUES]
        elif isinstance(value, (set, frozenset)):
            waiting += itertools.islice(value, _MAX_VALUES)
        elif type(value) is int and value.bit_length() < _MAX_BITS:
            waiting.append(str(value))
