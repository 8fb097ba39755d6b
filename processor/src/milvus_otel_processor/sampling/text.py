"""Text as Go reads it: bytes that are not UTF-8 are no error, each of them stands for U+FFFD."""

from __future__ import annotations

import re

_LONE_BYTES = re.compile("[\udc80-\udcff]")
REPLACEMENT = "\ufffd"


def decoded(text: bytes) -> str:
    """Return the text of these bytes, with one U+FFFD for each byte that is not part of a character's UTF-8 form."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return _LONE_BYTES.sub(REPLACEMENT, text.decode("utf-8", "surrogateescape"))


def valid(text: bytes) -> bytes:
    """Return the UTF-8 form of what `decoded` returns: the bytes themselves in all but odd cases."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return decoded(text).encode()
    return text
