"""Filter expressions without their literals, as the conventions ask for ``db.query.text``.

The text is read as Milvus' grammar has it (``internal/parser/planparserv2/Plan.g4``): field, operator, literal. What is
kept are operators, functions, templates (``{ids}``), fields, and the keys of JSON paths (``meta["key"]``). A bare word
where a literal belongs is taken for one: ``name == ann`` is more often a forgotten quote than a second field. A text
that this reading does not understand is not recorded at all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

MAX_LENGTH = 2048
"""Characters of an expression that are looked at: ``id in [...]`` can be megabytes, and a span is no place for them."""
_MAX_TOKENS = 256
_MAX_KEPT_LENGTH = 256
"""Characters of an expression whose masked text is kept; longer ones hold lists, which are seldom the same twice."""
_MAX_KEPT = 512
"""Expressions; at 4 bytes for a character they and their masked texts take 1 MiB at most."""

_STRING = r"""(?:"(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\.)*+')"""
_OPEN_STRING = r"""(?:"(?:[^"\\]|\\.)*+\\?|'(?:[^'\\]|\\.)*+\\?)\Z"""
_NUMBER = r"(?:0[xX][0-9a-fA-F]++|(?:[0-9]++\.?[0-9]*+|\.[0-9]++)(?:[eE][-+]?[0-9]++)?+)(?![\w.])"
_LIST = rf"""\[(?:[^][(){{}}'"]++|{_STRING})*+"""
"""A list is masked whole, whatever is in it, as long as its texts are closed."""


def _tokens(*, is_cut: bool) -> re.Pattern[str]:
    list_end = rf"(?:\]|{_OPEN_STRING}|\Z)" if is_cut else r"\]"
    string = rf"(?:{_STRING}|{_OPEN_STRING})" if is_cut else _STRING
    return re.compile(
        rf"""
        (?P<space>\s++)
        | (?P<word>\$?[A-Za-z_][A-Za-z0-9_]{{0,254}}+)(?!\w)
        | (?P<comparison>==|!=|<=|>=|<>|<(?!<)|>(?!>)|=)
        | (?P<number>{_NUMBER})
        | (?P<string>{string})
        | (?P<list>{_LIST}{list_end})
        | (?P<logic>&&|\|\|)
        | (?P<arithmetic>\*\*|<<|>>|[-+*/%&|^])
        | (?P<unary>[!~])
        | (?P<open>[(\[])
        | (?P<close>[)\]])
        | (?P<comma>,)
        | (?P<template>\{{[A-Za-z_][A-Za-z0-9_]*+\}})
        """,
        re.VERBOSE | re.DOTALL | re.ASCII,
    )


_TOKEN = _tokens(is_cut=False)
_TOKEN_OF_CUT = _tokens(is_cut=True)
_MANY_LITERALS = re.compile(r"\?(?:\s*,\s*\?)+")
_KEY = re.compile(r"""\[\s*(["'])[^\W\d][\w.$:/-]{0,63}\1\s*\]""")
"""A path into a JSON field with a key that looks like a name."""


class _UnknownError(Exception):
    """A text that is not understood."""


_kept: dict[str, str | None] = {}


def without_literals(expression: str) -> str | None:
    """Return the expression with each literal, or list of literals, replaced by ``?``; None if it is not understood.

    Cut at ``MAX_LENGTH`` characters, where ``...`` is added.
    """
    if len(expression) > _MAX_KEPT_LENGTH:
        return _masked(expression[:MAX_LENGTH], is_cut=len(expression) > MAX_LENGTH)
    try:
        return _kept[expression]
    except KeyError:
        pass
    masked = _masked(expression, is_cut=False)
    if len(_kept) >= _MAX_KEPT:
        _kept.clear()
    _kept[expression] = masked
    return masked


def _masked(text: str, *, is_cut: bool) -> str | None:
    try:
        return _Reading(text, is_cut=is_cut).masked()
    except _UnknownError:
        return None


@dataclass(slots=True)
class _Reading:
    """One text from left to right; what may come next depends on what was there before."""

    text: str
    is_cut: bool
    out: list[str] = field(default_factory=list)
    around: list[tuple[str, bool]] = field(default_factory=list)
    """The open brackets, each with whether bare words in it are literals."""
    is_operand_next: bool = True
    are_words_literals: bool = False
    is_literal: bool = False
    """Whether the last operand was a literal."""
    is_field: bool = False
    """Whether the last operand is a field or a path, so that ``[`` goes on with the path."""
    is_callable: bool = False
    """Whether the last token was a word that can be a function."""
    is_sign: bool = False
    is_fresh: bool = True
    """Whether nothing of the condition that comes next, between ``and`` and ``or``, was there yet."""
    has_field: bool = False
    """Whether this condition has a field, so that a bare word on the other side of a comparison is a literal."""
    bare: int | None = None
    """Where a word stands that is a condition by itself so far: what is left of ``name == Smith and Jones``, more often
    than a boolean field."""
    says_something: bool = False
    """Whether there is more than a single operand: a lone word may be anything."""

    def masked(self) -> str:
        """Return the text to show; raises _UnknownError."""
        text, position, end = self.text, 0, len(self.text)
        match = (_TOKEN_OF_CUT if self.is_cut else _TOKEN).match
        for _ in range(_MAX_TOKENS):
            if position == end:
                break
            token = match(text, position)
            if token is None:
                raise _UnknownError
            position = token.end()
            if position == end and self.is_cut:
                return self._shown() + self._cut_off(token)
            _TAKE[token.lastgroup or ""](self, token.group())
        else:
            return self._shown() + "..."
        if self.out and (self.around or self.is_operand_next or not self.says_something):
            raise _UnknownError
        return self._shown()

    def _mask_bare_word(self) -> None:
        if self.bare is not None:
            self.out[self.bare] = "?"
            self.bare = None

    def _shown(self) -> str:
        self._mask_bare_word()
        return _MANY_LITERALS.sub("?", "".join(self.out))

    def _cut_off(self, token: re.Match[str]) -> str:
        """Return what to show for the last token of a text that was cut: of a literal, that there is one."""
        kind = token.lastgroup
        if kind == "list" and (self.is_operand_next or self.is_field):
            return "[?..."
        return "?..." if kind in ("string", "number") and self.is_operand_next else "..."

    def _take(self, shown: str, *, is_literal: bool = False, is_field: bool = False) -> None:
        """Take an operand."""
        if not self.is_operand_next:
            raise _UnknownError
        if is_field:
            self.has_field = True
            self.bare = len(self.out) if self.is_fresh else None
        self.out.append(shown)
        self.is_operand_next = self.is_fresh = False
        self.is_literal, self.is_field = is_literal, is_field
        self.is_sign = self.is_callable = False

    def _join(self, shown: str, *, are_words_literals: bool) -> None:
        """Take what joins two operands."""
        if self.is_operand_next:
            raise _UnknownError
        self.out.append(shown)
        self.is_operand_next = self.says_something = True
        self.are_words_literals = are_words_literals
        self.bare = None
        self.is_field = self.is_callable = self.is_sign = False

    def take_space(self, _text: str) -> None:
        self.out.append(" ")

    def take_word(self, word: str) -> None:
        keyword = _KEYWORDS.get(word.lower())
        if keyword is not None:
            keyword(self, word)
        elif self.are_words_literals:
            self._take("?", is_literal=True)
            self.is_callable = True
        else:
            self._take(word, is_field=True)
            self.is_callable = True

    def take_literal_word(self, _word: str) -> None:
        self._take("?", is_literal=True)

    def take_and_or(self, word: str) -> None:
        self._mask_bare_word()
        self._join(word, are_words_literals=self._are_words_literals_here())
        self.is_fresh, self.has_field = True, False

    def take_in_like(self, word: str) -> None:
        self._join(word, are_words_literals=True)

    def take_prefix(self, word: str) -> None:
        """Take ``exists`` before a path, or ``iso`` before a literal."""
        if not self.is_operand_next:
            raise _UnknownError
        self.out.append(word)
        self.says_something = True
        self.is_fresh = False

    def take_not(self, word: str) -> None:
        """Take ``not`` before an operand, or inside ``not in`` and ``is not null``."""
        self.out.append(word)
        self.says_something = True
        self.is_field = self.is_callable = self.is_fresh = False

    def take_is_null(self, word: str) -> None:
        if self.is_operand_next:
            raise _UnknownError
        self.bare = None
        self.take_not(word)

    def take_list(self, text: str) -> None:
        if self.is_operand_next:
            self._take("[]" if text[1:-1].isspace() or text == "[]" else "[?]", is_literal=True)
        elif self.is_field:
            self.out.append(text if _KEY.fullmatch(text) else "[?]")
            self.is_callable = False
            self.bare = None
        else:
            raise _UnknownError

    def take_string(self, _text: str) -> None:
        self._take("?", is_literal=True)

    def take_number(self, _text: str) -> None:
        if self.is_sign:
            self.out.pop()
        self._take("?", is_literal=True)

    def take_template(self, text: str) -> None:
        self._take(text, is_literal=True)

    def take_comparison(self, text: str) -> None:
        self._join(text, are_words_literals=self.has_field or not self.is_literal)

    def take_logic(self, text: str) -> None:
        self.take_and_or(text)

    def take_arithmetic(self, text: str) -> None:
        if not self.is_operand_next:
            self._join(text, are_words_literals=True)
        elif text in "+-":
            self.out.append(text)
            self.is_sign = True
            self.is_fresh = False
        else:
            raise _UnknownError

    def take_unary(self, text: str) -> None:
        if not self.is_operand_next:
            raise _UnknownError
        self.out.append(text)
        self.is_sign = self.is_fresh = False

    def take_open(self, bracket: str) -> None:
        is_subscript = bracket == "[" and self.is_field
        is_call = bracket == "(" and self.is_callable
        if not (self.is_operand_next or is_subscript or is_call):
            raise _UnknownError
        self.around.append((bracket, self.are_words_literals))
        self.are_words_literals = self.are_words_literals or bracket == "["
        self.says_something = self.says_something or is_call
        self.out.append(bracket)
        self.bare = None
        self.is_operand_next = True
        self.is_fresh = not (is_subscript or is_call or self.are_words_literals)
        self.has_field = False
        self.is_field = self.is_callable = self.is_sign = False

    def take_close(self, bracket: str) -> None:
        is_empty_call = bool(self.out) and self.out[-1] == "("
        if not self.around or (self.is_operand_next and not is_empty_call):
            raise _UnknownError
        opened, self.are_words_literals = self.around.pop()
        if opened + bracket not in ("()", "[]"):
            raise _UnknownError
        self._mask_bare_word()
        self.out.append(bracket)
        self.has_field = True
        self.is_operand_next = self.is_literal = self.is_callable = False
        self.is_field = bracket == "]"

    def take_comma(self, text: str) -> None:
        if not self.around:
            raise _UnknownError
        self._join(text, are_words_literals=True)

    def _are_words_literals_here(self) -> bool:
        return self.around[-1][1] if self.around else False


_KEYWORDS = {
    "and": _Reading.take_and_or,
    "or": _Reading.take_and_or,
    "in": _Reading.take_in_like,
    "like": _Reading.take_in_like,
    "not": _Reading.take_not,
    "exists": _Reading.take_prefix,
    "iso": _Reading.take_prefix,
    "interval": _Reading.take_prefix,
    "is": _Reading.take_is_null,
    "null": _Reading.take_is_null,
    "true": _Reading.take_literal_word,
    "false": _Reading.take_literal_word,
}

_TAKE = {
    "space": _Reading.take_space,
    "word": _Reading.take_word,
    "comparison": _Reading.take_comparison,
    "number": _Reading.take_number,
    "string": _Reading.take_string,
    "list": _Reading.take_list,
    "logic": _Reading.take_logic,
    "arithmetic": _Reading.take_arithmetic,
    "unary": _Reading.take_unary,
    "open": _Reading.take_open,
    "close": _Reading.take_close,
    "comma": _Reading.take_comma,
    "template": _Reading.take_template,
}
