"""The reference of all keys, written from the models: `python -m milvus_otel_processor.config.reference`."""

from __future__ import annotations

import sys
import types
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import SecretStr

from milvus_otel_processor.components import COMPONENTS, SECTIONS
from milvus_otel_processor.config.model import ServiceSettings
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

One YAML file in the shape of the Collector's: `milvus-otel run --config FILE`. `milvus-otel config` prints the built-in
configuration with every line explained: start yours from it. `milvus-otel validate --config FILE` says everything that is
wrong with a file, each with its line and the nearest valid name.

- A component has an id: its type, or `type/name`. It takes part when the pipeline lists it.
- A duration has a unit: `500ms`, `10s`, `1m30s`.
- `${env:NAME}` or `${NAME}` is an environment variable, `${env:NAME:-default}` is one with a default. A variable that is not
  set is empty, and there is a warning, as in the Collector. `$$` is a dollar sign.
- `${file:path}` is the content of a file. A relative path starts in the folder of the file that names it. (In the Collector it
  starts in the working directory.) A file that is not named `.yaml` or `.yml`, such as a secret, may hold any text; its last
  line break is cut off.
- A value that is only `${…}` has the type of what it stands for. Inside a longer text it is text. Inside `{ }` and `[ ]` YAML
  needs quotes around it.
- Values are decoded as the Collector decodes them. A whole number may be written as `1e+06` or `1000.0`. A text is split at
  commas where a list of texts is expected: `values: ${env:TENANTS}`. A variable that is not set is an empty text inside a list.
- `--set key.path=value` changes one value of the file; `::` may stand for `.`. The value is YAML. A mapping is joined with the
  one that is there; any other value, also a list, replaces it. `--set` also reaches what `${file:}` brought in. (The
  Collector's does not.)
- Editors complete keys and show mistakes as you type when the first line names the JSON Schema, as that of `milvus-otel config`
  does: `milvus-otel schema config > config.schema.json`, and `milvus-otel schema rules` for a file of rules alone.
- "required in `block`" means: required when that block is there.
"""

_OWN = """\
## `processors: my_package.module:Class`

A [processor of your own](own-processors.md): the class, and under it the keys of its own settings.
"""


def reference() -> str:
    """Return the page, in Markdown."""
    parts = [_HEAD]
    for section in SECTIONS:
        by_model: dict[type[BaseModel], list[str]] = {}
        for component in COMPONENTS:
            if component.section == section:
                by_model.setdefault(component.settings, []).append(component.type)
        for model, names in by_model.items():
            title = " or ".join(f"`{section}: {name}`" for name in names)
            parts.append(_section(f"## {title}", model))
            parts.extend(_policies(model))
        if section == "processors":
            parts.append(_OWN)
    parts.append(_section("## `service`", ServiceSettings))
    return "\n".join(parts)


def _section(title: str, model: type[BaseModel]) -> str:
    """Return the table of a model under a title, and below it those of the entries of its lists."""
    tables = [f"{title}\n\n{_summary(model)}\n\n{_table(model)}"]
    tables += [
        f"Each entry of `{path}`: {_first_small(entry)}\n\n{_table(entry)}" for path, entry in _entries(model, "")
    ]
    return "\n".join(tables)


def _summary(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip().split("\n\n")[0]


def _first_small(model: type[BaseModel]) -> str:
    summary = _summary(model)
    return summary[:1].lower() + summary[1:]


def _table(model: type[BaseModel]) -> str:
    rows = "".join(f"| `{key}` | {kind} | {default} | {text} |\n" for key, kind, default, text in _rows(model, "", ""))
    return f"| key | type | default | meaning |\n| --- | --- | --- | --- |\n{rows}"


def _rows(model: type[BaseModel], prefix: str, optional: str) -> Iterator[tuple[str, str, str, str]]:
    """Yield the rows of a table; `optional` is the nearest block around them that may be left out."""
    for key, info in ModelShape(model).fields().items():
        path, shape = f"{prefix}{key}", shape_of_field(info)
        text = " ".join((info.description or "").split())
        if isinstance(shape, ModelShape):
            if info.default is None and text:
                yield path, "block", "none", text
            yield from _rows(shape.model, f"{path}.", optional if info.is_required() else path)
        else:
            default = f"required in `{optional}`" if info.is_required() and optional else _default(info)
            yield path, _kind(info, shape), default, text


def _entries(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield the models of the entries of lists, at any depth, with the path of their list."""
    for key, info in ModelShape(model).fields().items():
        path, shape = f"{prefix}{key}", shape_of_field(info)
        if isinstance(shape, ModelShape):
            yield from _entries(shape.model, f"{path}.")
        elif isinstance(shape, ListShape) and isinstance(shape.item, ModelShape):
            yield path, shape.item.model
            yield from _entries(shape.item.model, f"{path}[].")


def _policies(model: type[BaseModel]) -> Iterator[str]:
    """Yield a section for each member of the union in the list of a model, such as the types of policies."""
    for key, info in ModelShape(model).fields().items():
        shape = shape_of_field(info)
        if isinstance(shape, ListShape) and isinstance(shape.item, UnionShape):
            for tag, member in sorted(shape.item.members.items()):
                assert isinstance(member, ModelShape)
                yield _section(f"### `{key}`: `{shape.item.discriminator}: {tag}`", member.model)


def _kind(info: FieldInfo, shape: Shape) -> str:
    if isinstance(shape, UnionShape):
        return f"mapping, see each `{shape.discriminator}`"
    if isinstance(shape, ListShape):
        item = shape.item
        if isinstance(item, UnionShape):
            return f"list of mappings, see each `{item.discriminator}`"
        if isinstance(item, ModelShape):
            return "list of mappings, see below"
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
