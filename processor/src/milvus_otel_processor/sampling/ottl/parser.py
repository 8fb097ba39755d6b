"""From the text of a condition to a tree."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from lark import Lark
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedInput

from milvus_otel_processor.sampling.ottl.converters import CONVERTERS
from milvus_otel_processor.sampling.ottl.errors import CompileError
from milvus_otel_processor.sampling.ottl.hints import at_the_place

if TYPE_CHECKING:
    from lark import Token, Tree

# The grammar of pkg/ottl/grammar.go, v0.158, less what conditions have no use for: editors and lambdas. Whether an operand is a
# truth or a value is not the grammar's question but the compiler's; that makes the grammar LALR(1).
_GRAMMAR = r"""
?start: disjunction
?disjunction: conjunction ("or" conjunction)*
?conjunction: negation ("and" negation)*
?negation: "not" comparison -> negation
    | comparison
?comparison: sum (COMPARISON sum)?
?sum: product (SIGN product)*
?product: signed (FACTOR signed)*
?signed: SIGN atom -> signed
    | atom
?atom: "nil" -> nil
    | BOOLEAN -> boolean
    | BYTES -> byte_slice
    | FLOAT -> double
    | INT -> integer
    | STRING -> string
    | ENUM -> enum
    | CONVERTER "(" (argument ("," argument)*)? ")" index* -> converter
    | NAME ("." NAME)* index* -> path
    | "[" (disjunction ("," disjunction)*)? "]" -> list
    | "{" (pair ","?)* "}" -> map
    | "(" disjunction ")" -> group
pair: STRING ":" disjunction
argument: (NAME "=")? disjunction
index: "[" sum "]"

BOOLEAN.3: /(true|false)\b/
BYTES.3: /0x[a-fA-F0-9]+/
FLOAT.2: /(\d+\.\d*|\d*\.\d+)([eE][-+]?\d+)?/
INT: /\d+/
STRING: /"(\\.|[^\\"])*"/s
COMPARISON: /==|!=|>=|<=|>|</
SIGN: /[+-]/
FACTOR: /[*\/]/
CONVERTER.2: /[A-Z][A-Za-z0-9_]*(?=\s*\()/
ENUM: /[A-Z][A-Z0-9_]*(?![A-Za-z0-9_])/
NAME: /[a-z][a-z0-9_]*/
%ignore /\s+/
"""


@cache
def _parser() -> Lark:
    return Lark(_GRAMMAR, parser="lalr", maybe_placeholders=False)


def parse(text: str) -> Tree[Token] | Token:
    """Return the tree of a condition. Raises CompileError, pointing at the place, where the text is not one."""
    try:
        return _parser().parse(text)
    except UnexpectedEOF:
        raise CompileError(f"{text!r} ends where something is missing") from None
    except UnexpectedInput as error:
        at = error.pos_in_stream
        found = text[at:] if at is not None else ""
        if not found or getattr(getattr(error, "token", None), "type", "") == "$END":
            raise CompileError(f"{text!r} ends where something is missing") from None
        known = "" if isinstance(error, UnexpectedCharacters) else ", which cannot stand there"
        hint = at_the_place(text[:at], found, CONVERTERS)
        message = f"{text!r} cannot be read from column {error.column} on: {found[:30]!r}{known}"
        raise CompileError(f"{message}; {hint}" if hint else message) from None
