"""Regular expressions that find, and replace, in bytes: RE2's, so that no text can stall the processor."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import re2

if TYPE_CHECKING:
    from collections.abc import Callable

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False  # they are raised


class Pattern(NamedTuple):
    """One regular expression."""

    matches: Callable[[bytes], bool]
    """Whether it matches anywhere in a text of valid UTF-8."""
    replaced: Callable[[Callable[[bytes], bytes], bytes], bytes]
    """Replaces each match in such a text by what a function returns for it."""


def compiled(expression: str) -> Pattern:
    """Return the pattern. Raises ValueError, naming the expression and the reason, where it is not valid."""
    try:
        found = re2.compile(expression, _OPTIONS)
    except re2.error as error:
        reason = error.args[0]
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise ValueError(
            f"{expression!r} is not a regular expression: {text}; expected the syntax of RE2 "
            f"(https://github.com/google/re2/wiki/Syntax)"
        ) from None

    def replaced(mask: Callable[[bytes], bytes], text: bytes) -> bytes:
        end = -1

        def one(match: re2._Match[bytes]) -> bytes:
            nonlocal end
            # Nothing, right behind a match, is none: so Go has it, and `.*` is masked once.
            follows, end = match.start() == match.end() == end, match.end()
            return b"" if follows else mask(match.group())

        return bytes(found.sub(one, text))

    return Pattern(lambda text: found.search(text) is not None, replaced)
