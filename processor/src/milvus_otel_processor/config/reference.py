"""The reference of all keys, written from the models: `python -m milvus_otel_processor.config.reference`."""

from __future__ import annotations

import sys
import types
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import SecretStr

from milvus_otel_processor.config.model import COMPONENTS, ServiceSettings
from milvus_otel_processor.config.shapes import (
    DictShape,
    ListShape,
    ModelShape,
    Shape,
    UnionShape,
    is_duration,
    shape_of_field,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

_HEAD = """\
# Configuration

<!-- Written from the settings' models by `uv run python -m milvus_otel_processor.config.reference > docs/configuration.md`. -->

One YAML file in the shape of the Collector's: `milvus-otel run --config FILE`. `milvus-otel config` prints the built-in one,
every line explained, as a start for your own; `milvus-otel validate --config FILE` says all that is wrong with one, each
with file, line and the nearest valid name.

- Components have ids, `type` or `type/name`, and take part when the pipeline lists them.
- Durations are written with their unit: `500ms`, `10s`, `1m30s`.
- `${env:NAME}`, or `${NAME}`, is an environment variable, `${env:NAME:-default}` one with a default. One that is not set
  is empty, with a warning, as in the Collector. `$$` is a dollar sign.
- `${file:path}` is the content of a file. A relative path begins at the file that names it. (The Collector's begins at the
  working directory.) A file that is not named `.yaml` or `.yml`, such as a secret, may hold any text; its last line break
  is cut off.
- A value that is nothing but one of these takes its type from what it stands for; inside a longer text it is text.
  Inside `{ }` and `[ ]` YAML wants quotes around it.
- `--set key.path=value` goes over the file, `::` may stand for `.`. The value is YAML; a mapping is joined with what is
  there, anything else, a list too, replaces it. It also reaches what `${file:}` brought in. (The Collector's does not.)
"""


def reference() -> str:
    """Return the page, in Markdown."""
    parts = [_HEAD]
    for section, components in COMPONENTS.items():
        by_model: dict[type[BaseModel], list[str]] = {}
        for name, model in components.items():
            by_model.setdefault(model, []).append(name)
        for model, names in by_model.items():
            title = " or ".join(f"`{section}: {name}`" for name in names)
            parts.append(f"## {title}\n\n{_summary(model)}\n\n{_table(model)}")
            parts.extend(_unions(model))
    parts.append(f"## `service`\n\n{_summary(ServiceSettings)}\n\n{_table(ServiceSettings)}")
    return "\n".join(parts)


def _summary(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip().split("\n\n")[0]


def _table(model: type[BaseModel]) -> str:
    rows = "".join(f"| `{key}` | {kind} | {default} | {text} |\n" for key, kind, default, text in _rows(model, ""))
    return f"| key | type | default | meaning |\n| --- | --- | --- | --- |\n{rows}"


def _rows(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str, str]]:
    for key, info in ModelShape(model).fields().items():
        path, shape = f"{prefix}{key}", shape_of_field(info)
        if isinstance(shape, ModelShape):
            yield from _rows(shape.model, f"{path}.")
        else:
            yield path, _kind(info, shape), _default(info), " ".join((info.description or "").split())


def _unions(model: type[BaseModel]) -> Iterator[str]:
    """Yield a section for each member of the union in the list of a model, such as the types of policies."""
    for key, info in ModelShape(model).fields().items():
        shape = shape_of_field(info)
        if isinstance(shape, ListShape) and isinstance(shape.item, UnionShape):
            for tag, member in sorted(shape.item.members.items()):
                assert isinstance(member, ModelShape)
                yield f"### `{key}`: `{shape.item.discriminator}: {tag}`\n\n{_summary(member.model)}\n\n{_table(member.model)}"


def _kind(info: FieldInfo, shape: Shape) -> str:
    if isinstance(shape, ListShape):
        item = shape.item
        if isinstance(item, UnionShape):
            return f"list of mappings, see each `{item.discriminator}`"
        return "list of " + " or ".join(_words(get_args(info.annotation)[0]))
    if isinstance(shape, DictShape):
        return "mapping of strings"
    return "duration" if is_duration(info) else " or ".join(_words(info.annotation))


def _words(annotation: Any) -> Iterator[str]:
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _words(get_args(annotation)[0])
    elif origin is Literal:
        yield from (f"`{value}`" for value in get_args(annotation))
    elif origin in (Union, types.UnionType):
        members = [member for member in get_args(annotation) if member is not type(None)]
        for member in members:
            if member is not int or float not in members:
                yield from _words(member)
    else:
        yield {str: "string", SecretStr: "string", int: "whole number", float: "number", bool: "`true` or `false`"}.get(
            annotation, getattr(annotation, "__name__", str(annotation))
        )


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    value = info.get_default(call_default_factory=True, validated_data={})
    if is_duration(info):
        return f"`{value:g}s`"
    match value:
        case None | "" | [] | () | {} | SecretStr():
            return "none"
        case bool():
            return f"`{str(value).lower()}`"
        case list() | tuple():
            return f"`[{', '.join(str(item) for item in value)}]`"
    return f"`{value}`"


if __name__ == "__main__":
    sys.stdout.write(reference())
