"""Milvus' error messages, without what they quote of a client's own text: the filter, and values."""

from __future__ import annotations

import re

_QUOTES_EXPRESSION = re.compile(
    r"((?:cannot parse|failed to parse|invalid|unsupported|not a boolean|boolean|parse) (?:filter )?expr(?:ession)?: )"
)
"""What stands before a filter that Milvus quotes; from there on the message is the client's, but for its end."""
_PARSER_SAYS = re.compile(r", error: (?:line \d+:\d+ )?[a-z ]+(?![^\n]*, error: )|, data type: \w+$")
"""Of what stands behind the filter, the words that are the parser's own: what follows quotes the filter again."""
_QUOTES_VALUE = re.compile(r"(\bvalue ).*( exceeds\b)", re.DOTALL)


def may_quote(message: bytes) -> bool:
    """Tell whether a message may quote a client's text; False is a sure no."""
    return b" exceeds" in message or b"expr" in message


def without_client_text(message: str) -> str:
    """Return the message with … in the place of what it quotes; the message itself where that is nothing."""
    text = _QUOTES_VALUE.sub(r"\1…\2", message) if " exceeds" in message else message
    quotes = _QUOTES_EXPRESSION.search(text) if "expr" in text else None
    if quotes is None:
        return text
    says = _PARSER_SAYS.search(text, quotes.end())
    return f"{text[: quotes.end()]}…{says[0].rstrip() if says is not None else ''}"
