"""Texts that others write, shown so that they cannot move a terminal's cursor, hide a part or make a line of their own."""

from __future__ import annotations

import json
import re
from typing import Any

LONGEST = 300
"""Letters that are shown of what somebody else says, of an error for instance."""
_MARKS = frozenset(' "=')
_LINES = re.compile(r"[^\n]+")


def printable(text: str) -> str:
    """Return the text with whatever is not a printable character written as an escape, such as a newline's."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def shortened(text: str, longest: int = LONGEST) -> str:
    """Return the text as `printable` does, no more than so many letters of it; an ellipsis says that there are more."""
    shown = printable(text[: longest + 1])
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"


def as_value(text: str) -> str:
    """Return the text as it stands behind ``key=``: in quotes where it would not be seen where it ends."""
    is_plain = text and text.isprintable() and _MARKS.isdisjoint(text)
    return text if is_plain else printable(json.dumps(text, ensure_ascii=False))


def as_json(document: Any) -> str:
    """Return a JSON document for people and programs: letters of all languages as they are, and the rest as JSON's escapes."""
    text = json.dumps(document, indent=2, ensure_ascii=False)
    return _LINES.sub(lambda line: line[0] if line[0].isprintable() else _escaped(line[0]), text)


def _escaped(text: str) -> str:
    # What is left of these stands in texts: JSON itself escapes the first 32 characters.
    return "".join(one if one.isprintable() else json.dumps(one)[1:-1] for one in text)
