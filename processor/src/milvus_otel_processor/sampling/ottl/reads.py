"""Which attributes of spans a condition reads, as far as its text says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lark import Token, Tree

from milvus_otel_processor.sampling.ottl.compiler import unquoted
from milvus_otel_processor.sampling.ottl.parser import parse
from milvus_otel_processor.sampling.ottl.paths import full_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    Node = Tree[Token] | Token

_ATTRIBUTES = "span.attributes"


def span_attributes(condition: str, context: str) -> Iterator[str | None]:
    """Yield the keys of the attributes of spans that a condition reads; None where it reads all of them, or computes a key.

    `context` is `span` or `spanevent`. Raises CompileError where the text is no condition.
    """
    for node in _trees(parse(condition)):
        if node.data == "path":
            names = [str(child) for child in node.children if isinstance(child, Token)]
            indexes = [child for child in node.children if isinstance(child, Tree)]
            if full_path(names, context) == _ATTRIBUTES:
                yield _text(indexes[0].children[0]) if indexes else None


def _text(node: Node) -> str | None:
    if isinstance(node, Tree) and node.data == "string":
        return unquoted(node.children[0]).decode("utf-8", "replace")
    return None


def _trees(node: Node) -> Iterator[Tree[Token]]:
    if isinstance(node, Tree):
        yield node
        for child in node.children:
            yield from _trees(child)
