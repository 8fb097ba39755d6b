"""What of a condition says the same of every span, and can be seen without one: mostly a mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lark import Token, Tree

from milvus_otel_processor.sampling.ottl.compiler import Compiler, shown, unquoted
from milvus_otel_processor.sampling.ottl.errors import CompileError, OttlError
from milvus_otel_processor.sampling.ottl.nodes import Literal
from milvus_otel_processor.sampling.ottl.parser import parse
from milvus_otel_processor.sampling.ottl.paths import PATHS, TYPES, full_path
from milvus_otel_processor.sampling.ottl.values import equal, type_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    Node = Tree[Token] | Token

_CHANGING = frozenset({"IsRootSpan", "Now", "UUID", "UUIDv7"})
"""Converters whose answer differs though they are given nothing that does."""
_LOGIC = frozenset({"disjunction", "conjunction", "negation", "group"})
_TELL_ROOT = "to ask for spans without a parent write IsRootSpan()"
_INSTEAD = {
    "status.code": "write STATUS_CODE_ERROR, STATUS_CODE_OK or STATUS_CODE_UNSET",
    "kind": 'write SPAN_KIND_SERVER and its kin, or kind.string == "Server"',
    "parent_span_id": _TELL_ROOT,
    "span_id": "write span_id.string",
    "trace_id": "write trace_id.string",
    "start_time": "compare start_time_unix_nano, or write end_time - start_time",
    "end_time": "compare end_time_unix_nano, or write end_time - start_time",
}
"""What to write instead of a comparison with the wrong type, by the path without its context."""


def unchanging(condition: str, context: str) -> Iterator[str]:
    """Yield what is to be said of each part of a condition, itself first, that is the same for every span."""
    tree = parse(condition)
    whole = isinstance(tree, Token) or tree.data not in _LOGIC
    for part in _parts(tree):
        remark = _without_path(part, context) if not _changes(part) else _of_types(part, context)
        if remark:
            yield remark if whole else f"of {condition!r} the part {remark}"


def _parts(node: Node) -> Iterator[Node]:
    """Yield what `and`, `or` and `not` join."""
    if isinstance(node, Tree) and node.data in _LOGIC:
        for child in node.children:
            yield from _parts(child)
    else:
        yield node


def _changes(node: Node) -> bool:
    if isinstance(node, Token):
        return False
    return (
        node.data == "path"
        or (node.data == "converter" and str(node.children[0]) in _CHANGING)
        or any(map(_changes, node.children))
    )


def _without_path(part: Node, context: str) -> str:
    answer = "always " + str(_answer(part, context)).lower()
    quoted = [name for name in _texts(part) if full_path(name.split("."), context) in PATHS[context]]
    hint = f"; a path stands without quotes: {quoted[0]}" if quoted else ""
    return f"{shown(part)} names no path, and so is {answer}{hint}"


def _answer(part: Node, context: str) -> bool:
    try:
        return Compiler(context, lambda: 0).truth(part).test(None)
    except (OttlError, CompileError):
        return False  # what has no answer does not hold


def _texts(node: Node) -> Iterator[str]:
    if isinstance(node, Tree):
        if node.data == "string":
            yield unquoted(node.children[0]).decode("utf-8", "replace")
        for child in node.children:
            yield from _texts(child)


def _of_types(part: Node, context: str) -> str:
    """Return what is to be said of a path that is compared with a value of a type that it never has."""
    if not isinstance(part, Tree) or part.data != "comparison":
        return ""
    left, operator, right = part.children
    for path_node, value_node in ((left, right), (right, left)):
        path = _plain_path(path_node, context)
        type_ = TYPES.get(path or "")
        value = _literal(value_node, context)
        if type_ is None or value is None or path is None or _may_be_equal(type_, value.value):
            continue
        name = path.partition(".")[2]
        answer = "true" if operator == "!=" else "false"
        hint = f"; {_INSTEAD[name]}" if name in _INSTEAD else ""
        return (
            f"{shown(part)} is always {answer}: {shown(path_node)} is a {type_name(type_())}, and never a "
            f"{type_name(value.value)}{hint}"
        )
    return ""


def _may_be_equal(type_: type, value: Any) -> bool:
    return type(value) is type_ or equal(type_(), value) or (type_ is int and type(value) is float)


def _plain_path(node: Node, context: str) -> str | None:
    if isinstance(node, Tree) and node.data == "path" and not any(isinstance(child, Tree) for child in node.children):
        return full_path([str(child) for child in node.children], context)
    return None


def _literal(node: Node, context: str) -> Literal | None:
    try:
        operand = Compiler(context, lambda: 0).operand(node)
    except CompileError:
        return None
    return operand if isinstance(operand, Literal) else None
