"""What a field's annotation expects: the way from a position in the YAML to the model that describes it, and back.

pydantic's errors name a location that holds tags of unions too, and its input has to be typed already. Both need to
know which model is meant at each step.
"""

from __future__ import annotations

import types
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from typing_extensions import TypeAliasType

from milvus_otel_processor.config.nodes import Mapping, Node, Scalar, Sequence
from milvus_otel_processor.settings import ComponentId, Duration


@dataclass(frozen=True)
class ModelShape:
    """A mapping with the keys of a model."""

    model: type[BaseModel]

    def field(self, key: object) -> FieldInfo | None:
        """Return the field that a YAML key stands for."""
        return self.fields().get(str(key))

    def fields(self) -> dict[str, FieldInfo]:
        """Return the fields by their YAML keys."""
        if not self.model.__pydantic_fields_complete__:  # policies within policies
            self.model.model_rebuild()
        return {info.alias or name: info for name, info in self.model.model_fields.items()}


class Kind(Enum):
    """What a single value is, as far as that changes how it is decoded."""

    TEXT = "text"
    SECRET = "secret"  # noqa: S105 - the kind, not one of them
    INTEGER = "integer"
    DURATION = "duration"
    ANY = "any"


@dataclass(frozen=True)
class ListShape:
    """A list; `splits` says that a text stands for one too, split at commas."""

    item: Shape
    build: type[list[Any] | tuple[Any, ...] | frozenset[Any] | set[Any]]
    splits: bool = True


@dataclass(frozen=True)
class DictShape:
    """A mapping with keys of the user's choice."""

    value: Shape


@dataclass(frozen=True)
class UnionShape:
    """One of several models; the value at `discriminator` says which."""

    discriminator: str
    members: dict[str, Shape]

    def member(self, node: Node | None) -> Shape:
        """Return the one that a mapping says it is."""
        tag = node.get(self.discriminator) if isinstance(node, Mapping) else None
        return self.members.get(str(tag.value), ValueShape()) if isinstance(tag, Scalar) else ValueShape()


@dataclass(frozen=True)
class ValueShape:
    """A single value."""

    kind: Kind = Kind.ANY


Shape: TypeAlias = ModelShape | ListShape | DictShape | UnionShape | ValueShape


def shape_of_field(info: FieldInfo) -> Shape:
    """Return what a field of a model expects."""
    if is_duration(info):
        return ValueShape(Kind.DURATION)
    return shape_of(info.annotation, info.discriminator)


def is_duration(info: FieldInfo) -> bool:
    """Tell whether a field was annotated as `Duration`: pydantic has moved the marker to the field's metadata."""
    return any(item in info.metadata for item in get_args(Duration)[1:])


def shape_of(annotation: Any, discriminator: Any = None) -> Shape:
    """Return what an annotation expects."""
    while isinstance(annotation, TypeAliasType) or get_origin(annotation) is Annotated:
        if isinstance(annotation, TypeAliasType):
            annotation = annotation.__value__
        else:
            annotation, *metadata = get_args(annotation)
            named = (item.discriminator for item in metadata if isinstance(item, FieldInfo))
            discriminator = next((name for name in named if name), discriminator)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return _shape_of_union(arguments, discriminator)
    if origin in (list, tuple, frozenset, set):
        return ListShape(shape_of(arguments[0]), origin, splits=arguments[0] is not ComponentId)
    if origin is dict:
        return DictShape(shape_of(arguments[1]))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return ModelShape(annotation)
    if annotation is SecretStr or annotation is int:
        return ValueShape(Kind.INTEGER if annotation is int else Kind.SECRET)
    return ValueShape(Kind.TEXT if annotation is str or origin is Literal else Kind.ANY)


def _shape_of_union(arguments: tuple[Any, ...], discriminator: Any) -> Shape:
    members = [argument for argument in arguments if argument is not type(None)]
    if len(members) == 1:
        return shape_of(members[0], discriminator)
    if isinstance(discriminator, str):
        by_tag: dict[str, Shape] = {}
        for member in members:
            model = shape_of(member)
            assert isinstance(model, ModelShape)
            by_tag.update((str(tag), model) for tag in get_args(model.model.model_fields[discriminator].annotation))
        return UnionShape(discriminator, by_tag)
    return ValueShape(Kind.TEXT if all(member is str for member in members) else Kind.ANY)


def child(shape: Shape, key: object) -> Shape:
    """Return what is expected at a key of a mapping, or in a list."""
    if isinstance(shape, ModelShape):
        info = shape.field(key)
        return ValueShape() if info is None else shape_of_field(info)
    if isinstance(shape, DictShape):
        return shape.value
    if isinstance(shape, ListShape):
        return shape.item
    return ValueShape()


@dataclass(frozen=True)
class Step:
    """Where a location of pydantic's leads: the path as the user writes it, the value there, and what was expected."""

    path: str
    node: Node | None
    shape: Shape
    parent: Node
    parent_shape: Shape
    key: str | int | None


def follow(location: tuple[str | int, ...], node: Node, shape: Shape, path: str) -> Step:
    """Walk a location from a component's settings down; tags of unions in it are no steps of the path."""
    step = Step(path, node, shape, node, shape, None)
    for part in location:
        if isinstance(step.shape, UnionShape):
            member = step.shape.members.get(str(part), ValueShape())
            step = Step(step.path, step.node, member, step.parent, step.parent_shape, step.key)
            continue
        below: Node | None = None
        if isinstance(part, int) and isinstance(step.node, Sequence) and part < len(step.node.items):
            below = step.node.items[part]
        elif isinstance(part, str) and isinstance(step.node, Mapping):
            below = step.node.get(part)
        if below is None and not isinstance(step.shape, ModelShape):
            continue  # pydantic's own label, of a validator or of a union without a discriminator
        name = f"{step.path}[{part}]" if isinstance(part, int) else f"{step.path}.{part}".lstrip(".")
        parent = step.node if step.node is not None else step.parent
        step = Step(name, below, child(step.shape, part), parent, step.shape, part)
    return step
