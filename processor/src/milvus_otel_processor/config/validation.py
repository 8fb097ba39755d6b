"""A node against the model of its component: the settings, or every problem with its place and how to fix it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from milvus_otel_processor.config.decoding import Decoder
from milvus_otel_processor.config.nodes import Mapping, Node, Scalar, Sequence, plain
from milvus_otel_processor.config.problems import Place, Problem, did_you_mean, one_of, shown
from milvus_otel_processor.config.shapes import Kind, ModelShape, Step, UnionShape, ValueShape, follow
from milvus_otel_processor.sampling.policies.base import BLOCKS, PolicySettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic_core import ErrorDetails

M = TypeVar("M", bound=BaseModel)

_WANTED = {
    "string_type": "a string; put it in quotes",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
"""pydantic's types of errors, in the words of someone who writes YAML."""


def validate(model: type[M], node: Node, path: str, problems: list[Problem], warnings: list[Problem]) -> M | None:
    """Return the settings that a value describes; None, and its problems added, where it describes none.

    `path` is where in the configuration the value stands, for the messages. What is read otherwise than it may be meant is
    added to `warnings`.
    """
    shape = ModelShape(model)
    try:
        return model.model_validate(Decoder(warnings).decode(node, shape, path))
    except ValidationError as error:
        found = [
            _problem(details, follow(details["loc"], node, shape, path)) for details in error.errors(include_url=False)
        ]
        # of a value that may be one of two things pydantic says that it is not the first, and that it is not the second
        problems.extend({(problem.place, problem.path): problem for problem in found}.values())
        return None


_HEADERS = re.compile(r"\.headers(\.|$)")


def _shown(node: Node, step: Step) -> str:
    """Return a value as an error shows it, unless it may be a secret."""
    is_secret = step.shape == ValueShape(Kind.SECRET) or _HEADERS.search(step.path)
    return "the value" if is_secret else shown(plain(node))


def _problem(details: ErrorDetails, step: Step) -> Problem:
    kind, context = details["type"], details.get("ctx", {})
    node = step.parent if step.node is None else step.node
    place = node.place
    if kind == "extra_forbidden":
        message = _unknown_key(step)
        place = _key_place(step)
    elif kind == "missing":
        place, message = _missing(step, place)
    elif kind in ("too_short", "string_too_short"):
        message = (
            f"{_shown(node, step)} is empty, expected at least one {'entry' if kind == 'too_short' else 'character'}"
        )
    elif kind == "too_long":
        message = f"{_shown(node, step)} has {context['actual_length']} entries, expected {context['max_length']}"
    elif kind in ("union_tag_invalid", "union_tag_not_found"):
        return _unknown_member(step, node)
    elif kind == "value_error":
        message = str(context["error"])
        place, message = _place_within(node, message), _with_value(node, message)
    elif kind == "literal_error":
        names = [str(name) for name in _literals(context)]
        value = (
            details["input"] if isinstance(details["input"], str) else plain(node)
        )  # of a text, the part in question
        message = f"{shown(value)} is not known, {one_of(names)}{did_you_mean(value, names)}"
    elif kind in _WANTED:
        message = f"{_shown(node, step)} is {_kind(node)}, expected {_WANTED[kind]}"
    else:
        expected = details["msg"].replace("Input should be", "expected a value").replace("should have", "expected")
        message = f"{_shown(node, step)}: {expected[:1].lower()}{expected[1:]}"
    return Problem(place, step.path, message)


def _literals(context: dict[str, Any]) -> Iterator[str]:
    """Return the words of pydantic's `'a', 'b' or 'c'`."""
    for part in str(context["expected"]).replace(" or ", ", ").split(", "):
        yield part.strip("'")


def _missing(step: Step, place: Place) -> tuple[Place, str]:
    other = _block_of_another_type(step)
    if other is None:
        return place, f"is missing, expected {_expected(step)}"
    key, key_place = other
    return (
        key_place,
        f"is missing: the type is {step.key}, and the block that stands here is {key}; rename one of the two",
    )


def _block_of_another_type(step: Step) -> tuple[str, Place] | None:
    """Return the block that stands in a policy where that of its type is missing."""
    if isinstance(step.parent_shape, ModelShape) and issubclass(step.parent_shape.model, PolicySettings):
        for key, entry in step.parent.entries.items() if isinstance(step.parent, Mapping) else ():
            if key in BLOCKS and key != step.key:
                return key, entry.key_place
    return None


def _unknown_key(step: Step) -> str:
    known = list(step.parent_shape.fields()) if isinstance(step.parent_shape, ModelShape) else []
    if not known:
        return "is not a known key; nothing can be set here"
    return f"is not a known key, {one_of(known)}{did_you_mean(step.key, known)}"


def _key_place(step: Step) -> Place:
    entry = step.parent.entries.get(str(step.key)) if isinstance(step.parent, Mapping) else None
    return entry.key_place if entry else step.parent.place


def _unknown_member(step: Step, node: Node) -> Problem:
    assert isinstance(step.shape, UnionShape)
    known, key = sorted(step.shape.members), step.shape.discriminator
    tag = node.get(key) if isinstance(node, Mapping) else None
    if not isinstance(node, Mapping):
        return Problem(node.place, step.path, f"{shown(plain(node))} is {_kind(node)}, expected a mapping with `{key}`")
    if tag is None:
        return Problem(node.place, f"{step.path}.{key}", f"is missing, {one_of(known)}")
    value = plain(tag)
    message = f"{shown(value)} is not a known {key}, {one_of(known)}{did_you_mean(value, known)}"
    return Problem(tag.place, f"{step.path}.{key}", message)


def _expected(step: Step) -> str:
    info = step.parent_shape.field(step.key) if isinstance(step.parent_shape, ModelShape) else None
    return f"`{step.key}: …`" + (f" ({info.description})" if info and info.description else "")


def _kind(node: Node) -> str:
    if isinstance(node, Mapping):
        return "a mapping"
    if isinstance(node, Sequence):
        return "a list"
    match node.value:
        case None:
            return "empty"
        case bool():
            return "a boolean"
        case str():
            return "a string"
        case int() | float():
            return "a number"


def _scalars(node: Node) -> Iterator[Scalar]:
    if isinstance(node, Scalar):
        yield node
    for child in node.items if isinstance(node, Sequence) else ():
        yield from _scalars(child)
    for entry in node.entries.values() if isinstance(node, Mapping) else ():
        yield from _scalars(entry.node)


def _place_within(node: Node, message: str) -> Place:
    """Return the line of the text that the message of a validator quotes, where it speaks of a whole block."""
    quoted = (scalar for scalar in _scalars(node) if isinstance(scalar.value, str) and repr(scalar.value) in message)
    return next(quoted, node).place


def _with_value(node: Node, message: str) -> str:
    if isinstance(node, Scalar) and not re.search(rf"(?<!\w){re.escape(repr(node.value))}(?!\w)", message):
        return f"{shown(node.value)}: {message}"
    return message
