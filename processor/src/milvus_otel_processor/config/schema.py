"""JSON Schemas for editors, of the configuration, of rules alone and of tests: `python -m milvus_otel_processor.config.schema`.

It is written from the same models that check a configuration. It accepts what they accept, and leaves the rest, such as which
policy can never decide, to `milvus-otel validate`.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from milvus_otel_processor.components import COMPONENTS, SECTIONS
from milvus_otel_processor.config.builtin import schema_path
from milvus_otel_processor.config.model import ServiceSettings
from milvus_otel_processor.expectations.model import FileSettings
from milvus_otel_processor.sampling.settings import TailSamplingSettings
from milvus_otel_processor.settings import Duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import core_schema

    from milvus_otel_processor.config.builtin import SchemaOf

_DIALECT = "http://json-schema.org/draft-07/schema#"  # the newest that every editor knows
_SUBSTITUTED = {"$ref": "#/definitions/Substituted"}
_DEFINITIONS = {
    "Substituted": {
        "title": "Substituted",
        "description": "A value from elsewhere: `${env:NAME:-default}` or `${file:path}`.",
        "type": "string",
        "pattern": r"\$\{",
    },
    "Duration": {
        "title": "Duration",
        "description": "A duration with its unit, such as `500ms`, `10s` or `1m30s`.",
        "type": ["string", "integer"],
        "pattern": r"^\+?((\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h))+$|^0$|\$\{",
        "maximum": 0,
        "minimum": 0,
    },
}
_OWN_PROCESSOR = r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*(/.+)?$"
_REFERENCE = "#/definitions/{model}"
_DURATION = "duration"
_is_duration = next(item for item in Duration.__metadata__).func  # type: ignore[attr-defined] # of an Annotated


class _Schema(GenerateJsonSchema):
    """pydantic's generator, for values as they stand in YAML."""

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        """Return that of a duration, which is a text there and seconds here."""
        if schema["function"]["function"] is _is_duration:
            return {"type": "string", "format": _DURATION}
        return super().function_before_schema(schema)

    def list_schema(self, schema: core_schema.ListSchema) -> JsonSchemaValue:
        """Return that of a list; one of texts may be written as one text, split at commas."""
        made = super().list_schema(schema)
        return {"anyOf": [made, {"type": "string"}]} if made.get("items", {}).get("type") == "string" else made


def schema(of: SchemaOf) -> dict[str, Any]:
    """Return the schema of a whole configuration, of the rules alone, or of what is expected of them."""
    definitions: dict[str, Any] = {}
    root: dict[str, Any]
    if of == "rules":
        root = {
            "title": "milvus-otel: the rules",
            "description": "The block of the Collector's tail_sampling processor, by itself or under `tail_sampling`.",
            "anyOf": [
                _of(TailSamplingSettings, definitions),
                {
                    "type": "object",
                    "properties": {"tail_sampling": _of(TailSamplingSettings, definitions)},
                    "required": ["tail_sampling"],
                    "additionalProperties": False,
                },
            ],
        }
    elif of == "tests":
        root = {
            "title": "milvus-otel: what is expected of the rules",
            "allOf": [_of(FileSettings, definitions)],
        }
    else:
        root = {
            "title": "milvus-otel: the configuration",
            "type": "object",
            "properties": {
                **{section: _section(section, definitions) for section in SECTIONS},
                "service": _of(ServiceSettings, definitions),
            },
            "required": ["receivers", "exporters", "service"],
            "additionalProperties": False,
        }
    _open(root)
    for name in sorted(definitions):
        _open(definitions[name])
    return {"$schema": _DIALECT, **root, "definitions": _DEFINITIONS | dict(sorted(definitions.items()))}


def text(of: SchemaOf) -> str:
    """Return it as the file in the package has it."""
    return json.dumps(schema(of), indent=1, ensure_ascii=False) + "\n"


def _section(section: str, definitions: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a section: components by their ids, `type` or `type/name`."""
    patterns: dict[str, Any] = {
        f"^{component.type}(/.+)?$": {"anyOf": [_of(component.settings, definitions), {"type": "null"}]}
        for component in COMPONENTS
        if component.section == section
    }
    if section == "processors":
        patterns[_OWN_PROCESSOR] = {"type": ["object", "null"]}
    return {"type": ["object", "null"], "patternProperties": patterns, "additionalProperties": False}


def _of(model: type[Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Return a reference to the schema of a model; it and those in it are added to the definitions."""
    made = TypeAdapter(model).json_schema(
        by_alias=True, ref_template=_REFERENCE, schema_generator=_Schema, mode="validation"
    )
    definitions.update(made.pop("$defs", {}))
    definitions.setdefault(model.__name__, made)
    return {"$ref": _REFERENCE.format(model=model.__name__)}


def _open(schema: Any) -> None:
    """Let each value of a mapping or list stand for itself, for what is substituted, or be left empty."""
    for part in _parts(schema):
        for key, value in part.get("properties", {}).items():
            part["properties"][key] = _opened(value)
        for key, value in part.get("patternProperties", {}).items():
            part["patternProperties"][key] = _opened(value)
        if isinstance(part.get("items"), dict):
            part["items"] = _opened(part["items"])
        if isinstance(part.get("default"), dict | list):
            del part["default"]  # what it holds says its own


def _opened(value: dict[str, Any]) -> dict[str, Any]:
    value.pop("title", None)
    about: dict[str, Any] = {name: value.pop(name) for name in ("description", "default") if name in value}
    if value.get("format") == _DURATION:
        value = {"$ref": "#/definitions/Duration"}
        about.pop("default", None)  # seconds, which is no duration in YAML
    is_any_text = value.get("type") == "string" and not {"format", "pattern"} & value.keys()
    if is_any_text or "const" in value or "discriminator" in value:
        return value | about
    choices = [*value["anyOf"]] if value.keys() == {"anyOf"} else [value]
    return {
        "anyOf": [*choices, *(other for other in (_SUBSTITUTED, {"type": "null"}) if other not in choices)],
        **about,
    }


def _parts(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield every mapping in a schema, itself first; what is added to them meanwhile is not among them."""
    if isinstance(schema, dict):
        children = list(schema.values())
        yield schema
    else:
        children = list(schema) if isinstance(schema, list) else []
    for child in children:
        yield from _parts(child)


if __name__ == "__main__":
    names: tuple[SchemaOf, ...] = ("config", "rules", "tests")
    for name in names:
        schema_path(name).write_text(text(name), encoding="utf-8")
    sys.stdout.write("written: config.schema.json, rules.schema.json, tests.schema.json\n")
