"""Texts that others write, shown so that they cannot move a terminal's cursor, hide a part or make a line of their own."""

from __future__ import annotations

import json

_MARKS = frozenset(' "=')


def printable(text: str) -> str:
    """Return the text with whatever is not a printable character written as an escape, such as a newline's."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def as_value(text: str) -> str:
    """Return the text as it stands behind ``key=``: in quotes where it would not be seen where it ends."""
    is_plain = text and text.isprintable() and _MARKS.isdisjoint(text)
    return text if is_plain else printable(json.dumps(text, ensure_ascii=False))
