"""Takes out of Milvus' messages what is the application's: the filter, and values that Milvus repeats.

Milvus quotes the filter that it could not parse, and the literal in it that was the trouble; some of its checks quote a
value of a row, or an id. What the call was given is known here, so it can be found in the message.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any

from milvus_otel_client.extractors import as_name
from milvus_otel_client.sanitizer import without_literals

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MAX_MESSAGE = 4096
_MAX_WORDS_FROM = 1024
_MAX_REPEATS = 16
_MAX_VALUES = 32
_MAX_VALUE = 1024
_MIN_VALUE = 3
_MAX_BITS = 4096
"""Of an integer; Python refuses to write much larger ones."""
_KNOWN_BEGINNING = 64
"""Characters by which the filter is found; it can be megabytes."""
_WORD = re.compile(r"\w+")
_ABOUT_A_FILTER = re.compile(r"expr|plan|pars|predicate|template|cast|filter", re.IGNORECASE)
_QUOTED = re.compile(r"""(?<!\w)'(?:[^'\\]|\\.)*'?|"(?:[^"\\]|\\.)*"?|`[^`]*`?|(?<!\w)\d[\w.:+-]*""", re.DOTALL)
"""A text in quotes, or a number: Milvus may write a literal in another way than the filter did."""
_VALUE_ARGUMENTS = frozenset(
    {"data", "entities", "expr_params", "filter_params", "ids", "new_password", "old_password", "password"}
)
"""The arguments that hold the application's values; the others hold names and settings."""
_FILTER_ARGUMENTS = ("expr", "expression", "filter")


def without_private(message: str, arguments: Mapping[str, Any], *, literals: bool = False) -> str:
    """Return the message without the values that the call was given, and without the filter's unless asked for."""
    text = message
    for name in () if literals else _FILTER_ARGUMENTS:
        expression = arguments.get(name)
        if isinstance(expression, bytes):  # gRPC takes them too
            expression = expression.decode(errors="replace")
        if isinstance(expression, str) and expression:
            text = _without_filter(text, expression)
    text = text[:_MAX_MESSAGE]
    for value in sorted(set(_values_of(arguments)), key=len, reverse=True):
        if value in text:
            text = text.replace(value, "?")
    return text


def _without_filter(message: str, expression: str) -> str:
    shown = without_literals(expression) or "?"
    hidden = set(_WORD.findall(expression[:_MAX_WORDS_FROM])) - set(_WORD.findall(shown))
    parts: list[str] = []
    rest, beginning = message, expression[:_KNOWN_BEGINNING]
    while (at := rest.find(beginning)) >= 0 and len(parts) < _MAX_REPEATS:
        parts += [_without_words(rest[: min(at, _MAX_MESSAGE)], hidden), shown]
        rest = rest[at + len(expression) :]
    rest = rest[:_MAX_MESSAGE]
    if parts or _ABOUT_A_FILTER.search(rest):
        rest = _QUOTED.sub(lambda found: _unless_shown(found.group(), shown), rest)
    return "".join(parts) + _without_words(rest, hidden)


def _unless_shown(quoted: str, shown: str) -> str:
    """Return the quoted text if it is a name that is shown anyway."""
    inner = quoted[1:-1]
    return quoted if inner and not quoted[0].isdigit() and inner in _WORD.findall(shown) else "?"


def _without_words(text: str, hidden: set[str]) -> str:
    return _WORD.sub(lambda found: "?" if found.group() in hidden else found.group(), text)


def _values_of(arguments: Mapping[str, Any]) -> Iterator[str]:
    """Yield texts and integers of the call's values, and what stands for a name and cannot be one; a bounded number.

    There are no vectors among them, which Milvus never quotes.
    """
    for name, value in arguments.items():
        if name in _VALUE_ARGUMENTS:
            yield from _texts_in(value)
        elif name not in _FILTER_ARGUMENTS and isinstance(value, (str, list, tuple)):
            yield from (text for text in _texts_in(value) if as_name(text) is None)


def _texts_in(given: Any) -> Iterator[str]:
    waiting = [given]
    for _ in range(_MAX_VALUES):
        if not waiting:
            return
        value = waiting.pop(0)
        if isinstance(value, dict):
            waiting += itertools.islice(value.values(), _MAX_VALUES)
        elif isinstance(value, (list, tuple, set, frozenset)):
            waiting += itertools.takewhile(_is_no_float, itertools.islice(value, _MAX_VALUES))
        elif isinstance(value, str) or (type(value) is int and value.bit_length() < _MAX_BITS):
            text = str(value)[:_MAX_VALUE]
            if len(text) >= _MIN_VALUE:
                yield text


def _is_no_float(value: object) -> bool:
    return not isinstance(value, float)
