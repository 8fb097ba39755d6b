"""Filter expressions without their literals, as the conventions ask for ``db.query.text``."""

import re
from functools import lru_cache

MAX_LENGTH = 2048
"""Characters of an expression that are looked at: ``id in [...]`` can be megabytes, and a span is no place for them."""

# A literal that the cut above left open is a literal all the same.
_LITERAL = re.compile(
    r"""
    "(?:\\.|[^"\\])*(?:"|\\?$)          # "text"
    | '(?:\\.|[^'\\])*(?:'|\\?$)        # 'text'
    | (?<![\w.$])[-+]?\.?\d(?:[eE][-+]\d|[\w.])*   # 1  -2.5  1e-3  0xFF
    | (?<![\w$])(?:true|false)(?!\w)   # true  False
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_LIST = re.compile(r"\?(?:\s*,\s*\?)+")


@lru_cache(maxsize=512)
def without_literals(expression: str) -> str:
    """Return the expression with each literal, or list of literals, replaced by ``?``.

    Cut at ``MAX_LENGTH`` characters, where ``...`` is added.
    """
    cut = expression[:MAX_LENGTH]
    masked = _LIST.sub("?", _LITERAL.sub("?", cut))
    return masked if len(cut) == len(expression) else masked + "..."
