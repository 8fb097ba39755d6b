"""From the tree of a condition to a closure that answers it."""

from __future__ import annotations

import re
from functools import reduce
from typing import TYPE_CHECKING, Any, TypeGuard

from lark import Token, Tree

from milvus_otel_processor.sampling.hints.needles import TELLING
from milvus_otel_processor.sampling.hints.wanted import any_of
from milvus_otel_processor.sampling.ottl.arithmetic import calculate, negate
from milvus_otel_processor.sampling.ottl.calls import call
from milvus_otel_processor.sampling.ottl.converters.types import IS_ROOT_SPAN
from milvus_otel_processor.sampling.ottl.errors import CompileError, OttlError
from milvus_otel_processor.sampling.ottl.hints import of_name
from milvus_otel_processor.sampling.ottl.indexing import attribute_at, element_at
from milvus_otel_processor.sampling.ottl.nodes import Literal, Operand, Truth
from milvus_otel_processor.sampling.ottl.parser import parse
from milvus_otel_processor.sampling.ottl.paths import (
    ATTRIBUTES,
    ENUMS,
    IN_SPAN,
    PATHS,
    SPAN_TIMES,
    TRACE_STATE,
    VERBATIM,
    full_path,
    trace_state_member,
    why_not,
)
from milvus_otel_processor.sampling.ottl.values import COMPARISONS, GREATEST_INT, Value, equal, type_name
from milvus_otel_processor.sampling.ottl.wanted import wanted_of_comparison
from milvus_otel_processor.spans.wanted import Wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Node = Tree[Token] | Token
    Test = Callable[[Any], bool]

_MOST_LEVELS = 100
_ESCAPE = re.compile(
    rb"\\(?:([abfnrtv\\\"])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.?))", re.DOTALL
)
_ESCAPED = dict(zip(b'abfnrtv\\"', b'\a\b\f\n\r\t\v\\"', strict=True))


def compile_condition(text: str, context: str, time_ns: Callable[[], int]) -> Truth:
    """Return what answers the condition about a context of this kind: `span` or `spanevent`.

    `time_ns` is what `Now()` asks. Raises CompileError where the text is not a condition, or names what there is not.
    """
    try:
        tree = parse(text)
        _check_depth(tree)
        return Compiler(context, time_ns).truth(tree)
    except CompileError as error:
        raise CompileError(str(error) if text in str(error) else f"{text!r}: {error}") from None


def _check_depth(tree: Node) -> None:
    """Raise CompileError where parts stand too deeply within each other for what goes through them, which is recursive."""
    level: list[Node] = [tree]
    for _ in range(_MOST_LEVELS):
        level = [child for node in level if isinstance(node, Tree) for child in node.children]
    if level:
        raise CompileError(f"parts stand within each other more than {_MOST_LEVELS} deep")


class Compiler:
    """Makes closures of the parts of one condition about a context of one kind."""

    def __init__(self, context: str, time_ns: Callable[[], int]) -> None:
        self._context = context
        self._time_ns = time_ns

    def truth(self, node: Node) -> Truth:
        """Return what answers a part that is true or false. Raises CompileError where it is none."""
        made = self._node(node)
        if isinstance(made, Truth):
            return made
        if isinstance(made, Literal) and isinstance(made.value, bool):
            value = made.value
            return Truth(lambda _: value, is_quiet=True)
        if made.get is IS_ROOT_SPAN.function:
            return Truth(made.get, root_only=True, is_quiet=True)
        if not made.is_converter:
            raise CompileError(f"{shown(node)} is a value, expected a comparison, such as {shown(node)} != nil")
        get = made.get

        def test(at: Any) -> bool:
            answer = get(at)
            if answer is True or answer is False:
                return bool(answer)
            raise OttlError(f"{shown(node)} is {type_name(answer)}, expected a bool")

        return Truth(test)

    def operand(self, node: Node) -> Operand:
        """Return what reads a part that is a value. Raises CompileError where it is none."""
        made = self._node(node)
        if isinstance(made, Truth):
            raise CompileError(f"{shown(node)} is a condition, expected a value")
        return made

    def _node(self, node: Node) -> Truth | Operand:
        assert isinstance(node, Tree)
        make: Callable[[list[Any]], Truth | Operand] = getattr(self, f"_{node.data}")
        return make(node.children)

    def _group(self, children: list[Node]) -> Truth | Operand:
        return self._node(children[0])

    def _disjunction(self, children: list[Node]) -> Truth:
        parts = [self.truth(child) for child in children]
        tests = [part.test for part in parts]
        needles = [part.needle for part in parts if part.needle is not None]
        return Truth(
            _either(tests),
            needle=frozenset[bytes]().union(*needles) if len(needles) == len(parts) else None,
            wanted=any_of(part.wanted for part in parts),
            root_only=all(part.root_only for part in parts),
            is_quiet=all(part.is_quiet for part in parts),
        )

    def _conjunction(self, children: list[Node]) -> Truth:
        parts = [self.truth(child) for child in children]
        tests = [part.test for part in parts]
        # What a part says of the whole holds only as long as no part in front of it can raise.
        loud = next((place for place, part in enumerate(parts) if not part.is_quiet), len(parts))
        telling = parts[: loud + 1]
        return Truth(
            _both(tests),
            needle=next((part.needle for part in telling if part.needle is not None), None),
            wanted=next((part.wanted for part in telling if part.wanted is not None), None),
            root_only=any(part.root_only for part in telling),
            is_quiet=loud == len(parts),
        )

    def _negation(self, children: list[Node]) -> Truth:
        part = self.truth(children[0])
        test = part.test
        return Truth(lambda at: not test(at), is_quiet=part.is_quiet)

    def _comparison(self, children: list[Node]) -> Truth:
        left, right = self.operand(children[0]), self.operand(children[2])
        operator = str(children[1])
        compare = COMPARISONS[operator]
        get, get_other = left.get, right.get
        if not isinstance(right, Literal):
            return Truth(lambda at: compare(get(at), get_other(at)))
        value = right.value
        if isinstance(left, Literal):
            answer = compare(left.value, value)
            return Truth(lambda _: answer, is_quiet=True)
        needle, is_quiet = _needle(left, operator, value), left.key is not None or left.is_verbatim
        wanted = wanted_of_comparison(left, operator, value) or _holding(left, needle)
        if compare is equal and type(value) in (bytes, bool):
            kind = type(value)
            return Truth(
                lambda at: type(found := get(at)) is kind and bool(found == value), needle, wanted, is_quiet=is_quiet
            )
        return Truth(lambda at: compare(get(at), value), needle, wanted, is_quiet=is_quiet)

    def _sum(self, children: list[Node]) -> Operand:
        return self._calculation(children)

    def _product(self, children: list[Node]) -> Operand:
        return self._calculation(children)

    def _calculation(self, children: list[Node]) -> Operand:
        operands = [self._number(child) for child in children[::2]]
        steps = list(zip(map(str, children[1::2]), operands[1:], strict=True))

        def combine(left: Operand, step: tuple[str, Operand]) -> Operand:
            operator, right = step
            get, get_other = left.get, right.get
            is_span_time = operator == "-" and (get_other, get) in SPAN_TIMES
            return Operand(lambda at: calculate(operator, get(at), get_other(at)), is_span_time=is_span_time)

        return reduce(combine, steps, operands[0])

    def _signed(self, children: list[Node]) -> Operand:
        operand = self._number(children[1])
        if children[0] == "+":
            return operand
        if isinstance(operand, Literal):
            return Literal(negate(operand.value))
        get = operand.get
        return Operand(lambda at: negate(get(at)))

    def _number(self, node: Node) -> Operand:
        operand = self.operand(node)
        if isinstance(operand, Literal) and not operand.is_converter and type(operand.value) not in (int, float):
            raise CompileError(f"{shown(node)} is {type_name(operand.value)}, expected a number to calculate with")
        return operand

    def _nil(self, _: list[Node]) -> Operand:
        return Literal(None)

    def _boolean(self, children: list[Token]) -> Operand:
        return Literal(children[0] == "true")

    def _byte_slice(self, children: list[Token]) -> Operand:
        digits = children[0][2:]
        if len(digits) % 2:
            raise CompileError(f"{children[0]} has an odd number of digits, expected two for each byte")
        return Literal(bytearray.fromhex(digits))

    def _double(self, children: list[Token]) -> Operand:
        return Literal(float(children[0]))

    def _integer(self, children: list[Token]) -> Operand:
        value = int(children[0])
        if value > GREATEST_INT:
            raise CompileError(f"{value} is beyond what an int64 holds")
        return Literal(value)

    def _string(self, children: list[Token]) -> Operand:
        return Literal(unquoted(children[0]))

    def _enum(self, children: list[Token]) -> Operand:
        name = str(children[0])
        if name not in ENUMS:
            raise CompileError(f"there is no enum {name}{of_name(name, ENUMS)}")
        return Literal(ENUMS[name])

    def _list(self, children: list[Node]) -> Operand:
        items = [self.operand(child) for child in children]
        gets = [item.get for item in items]
        if _all_literal(items):
            return Literal([item.value for item in items])
        return Operand(lambda at: [get(at) for get in gets])

    def _map(self, children: list[Tree[Token]]) -> Operand:
        gets = {unquoted(pair.children[0]): self.operand(pair.children[1]).get for pair in children}
        return Operand(lambda at: {key: get(at) for key, get in gets.items()})

    def _path(self, children: list[Node]) -> Operand:
        names = [str(child) for child in children if isinstance(child, Token)]
        keys = self._keys(children[len(names) :])
        paths = PATHS[self._context]
        path = full_path(names, self._context)
        if path not in paths:
            raise CompileError(why_not(path, self._context))
        if not keys:
            return Operand(paths[path], is_verbatim=path in VERBATIM)
        if path == TRACE_STATE and len(keys) == 1 and isinstance(keys[0], Literal) and isinstance(keys[0].value, bytes):
            member = keys[0].value
            return Operand(lambda at: trace_state_member(at, member))
        if path not in ATTRIBUTES:
            raise CompileError(f"{path} cannot be indexed like that")
        return attribute_at(ATTRIBUTES[path], keys, in_span=path in IN_SPAN)

    def _converter(self, children: list[Node]) -> Operand:
        name, *rest = children
        arguments = [child for child in rest if isinstance(child, Tree) and child.data == "argument"]
        keys = self._keys(rest[len(arguments) :])
        given = [
            (str(argument.children[0]) if len(argument.children) > 1 else None, self.operand(argument.children[-1]))
            for argument in arguments
        ]
        operand = call(str(name), given, context=self._context, time_ns=self._time_ns)
        return element_at(operand, keys) if keys else operand

    def _keys(self, indexes: Sequence[Node]) -> list[Operand]:
        return [self.operand(index.children[0]) for index in indexes if isinstance(index, Tree)]


def _both(tests: list[Test]) -> Test:
    """Return whether all of the tests hold, asked in turn; two, which is what there mostly are, without a generator."""
    if len(tests) == 2:
        first, second = tests
        return lambda at: first(at) and second(at)
    return lambda at: all(test(at) for test in tests)


def _either(tests: list[Test]) -> Test:
    """Return whether one of the tests holds, asked in turn."""
    if len(tests) == 2:
        first, second = tests
        return lambda at: first(at) or second(at)
    return lambda at: any(test(at) for test in tests)


def _needle(left: Operand, operator: str, value: Value) -> frozenset[bytes] | None:
    """Return one text that has to be in the bytes of the span for the comparison to hold, or None where there is none."""
    if operator == "==" and left.is_verbatim and isinstance(value, bytes) and value:
        return frozenset((value,))
    # What is not there is nil, which is equal to nil alone, and in no order to anything else.
    holds_for_nil = (value is None) != (operator == "!=")
    return None if left.key is None or holds_for_nil else frozenset((left.key,))


def _holding(left: Operand, needle: frozenset[bytes] | None) -> Wanted | None:
    """Return that a trace holds the needle; or, where that is so short that every trace does, its key."""
    if needle is None or not all(needle):
        return None
    return Wanted(texts=frozenset((left.key,)) if left.key and min(map(len, needle)) < TELLING else needle)


def _all_literal(operands: list[Operand]) -> TypeGuard[list[Literal]]:
    return all(isinstance(operand, Literal) for operand in operands)


def unquoted(token: Node) -> bytes:
    """Return the bytes of a string as Go's strconv.Unquote makes them. Raises CompileError at an escape it does not know."""

    def character(match: re.Match[bytes]) -> bytes:
        simple, byte, short, long, octal, unknown = match.groups()
        if simple is not None:
            return bytes([_ESCAPED[simple[0]]])
        if byte is not None:
            return bytes.fromhex(byte.decode())
        if octal is not None and int(octal, 8) <= 0xFF:
            return bytes([int(octal, 8)])
        code = int(short or long or b"110000", 16)
        if unknown is not None or code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
            raise CompileError(
                f"{token} holds {match.group().decode()!r}, which is not an escape; a backslash itself is written "
                f"{chr(92) * 2} (in YAML between double quotes {chr(92) * 4})"
            )
        return chr(code).encode()

    text = str(token)[1:-1]
    if "\n" in text:
        raise CompileError(f"{token} holds a line break, expected \\n instead")
    return _ESCAPE.sub(character, text.encode())


def shown(node: Node) -> str:
    """Return about what the node was written as."""
    if isinstance(node, Token):
        return str(node)
    parts = [shown(child) for child in node.children]
    write = _SHOWN.get(str(node.data), " ".join)
    return write(parts)


def _path_shown(parts: list[str]) -> str:
    names = [part for part in parts if not part.startswith("[")]
    return ".".join(names) + "".join(parts[len(names) :])


_SHOWN: dict[str, Callable[[list[str]], str]] = {
    "path": _path_shown,
    "index": lambda parts: f"[{parts[0]}]",
    "converter": lambda parts: f"{parts[0]}({', '.join(parts[1:])})",
    "group": lambda parts: f"({parts[0]})",
    "list": lambda parts: f"[{', '.join(parts)}]",
    "negation": lambda parts: f"not {parts[0]}",
    "nil": lambda _: "nil",
}
"""How each kind of node is written, from the texts of its children; others are their children with spaces between."""
