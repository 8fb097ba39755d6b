"""From the values of the YAML to those of a field's type, as the Collector's loader decodes them.

The rules are those of mapstructure as confmap sets it up (go.opentelemetry.io/collector/confmap v1.64.0, internal/decoder.go),
and compared with the real one by tests/differential/test_configuration.py:

- a whole number may be written as a float, as Helm renders it from 1,000,000 on (``1e+06``); a fraction is cut off;
- a text where a list of texts is expected is split at commas, and an empty one is an empty list;
- nothing, such as a variable that is not set, is an empty text inside a list of texts and as a value of a mapping of texts;
- what a substitution put there is its text for a field that wants a text, else what YAML makes of it;
- a null is no value at all, but for a component or a block: there it is one with all its defaults.

Where we differ, on purpose:

- a setting that is null has its default, where the Collector makes it 0 or empty;
- a number that 64 bits cannot hold is an error, and does not become another number;
- a duration needs its unit: the Collector takes a bare number for nanoseconds;
- a variable that holds one number is a text where a list of texts is expected, and a date is a text.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from milvus_otel_processor.config.nodes import Mapping, Node, Scalar, Sequence, is_null, plain
from milvus_otel_processor.config.problems import Problem, shown
from milvus_otel_processor.config.shapes import (
    DictShape,
    Kind,
    ListShape,
    ModelShape,
    Shape,
    UnionShape,
    ValueShape,
    child,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_LEAST, _GREATEST = -(1 << 63), (1 << 63) - 1


class Decoder:
    """Decodes one component; what its author may not expect is added to `warnings`."""

    def __init__(self, warnings: list[Problem]) -> None:
        self._warnings = warnings

    def decode(self, node: Node, shape: Shape, path: str) -> Any:  # noqa: PLR0911 - one for each shape
        """Return a value as the model takes it; `path` is where in the configuration it stands."""
        if isinstance(shape, UnionShape):
            shape = shape.member(node)
        if shape == ValueShape(Kind.TEXT) and node.text is not None:
            return node.value if isinstance(node, Scalar) and isinstance(node.value, str) else node.text
        if shape == ValueShape(Kind.SECRET) and isinstance(node, Scalar) and not isinstance(node.value, str):
            # Whatever YAML takes it for: digits are a password, too, and an error would show it.
            return node.text or node.spelled or plain(node)
        if isinstance(node, Mapping):
            return self._mapping(node, shape, path)
        if isinstance(node, Sequence):
            return self._sequence(node, shape, path)
        if isinstance(shape, ModelShape) and is_null(node):
            return {}
        if isinstance(shape, ListShape) and _is_text_list(shape) and (text := _text(node)) is not None:
            return shape.build(self._split(text, node, path))
        return self._scalar(node, shape.kind if isinstance(shape, ValueShape) else Kind.ANY, path)

    def _mapping(self, node: Mapping, shape: Shape, path: str) -> dict[str, Any]:
        found = {}
        for key, entry in node.entries.items():
            below = child(shape, key)
            if not is_null(entry.node) or isinstance(below, ModelShape):
                found[key] = self.decode(entry.node, below, f"{path}.{key}")
            elif isinstance(shape, DictShape) and below == ValueShape(Kind.TEXT):
                found[key] = ""
        return found

    def _sequence(self, node: Sequence, shape: Shape, path: str) -> Any:
        build, item = (shape.build, shape.item) if isinstance(shape, ListShape) else (list, ValueShape())
        is_text = isinstance(shape, ListShape) and _is_text_list(shape)
        return build(
            "" if is_text and is_null(below) else self.decode(below, item, f"{path}[{index}]")
            for index, below in enumerate(node.items)
        )

    def _split(self, text: str, node: Scalar, path: str) -> Iterator[str]:
        if not text:
            return
        parts = text.split(",")
        for part in parts:
            if part != part.strip():
                message = (
                    f"{shown(text)} is split at commas, and {shown(part)} keeps its spaces; write {_as_list(parts)}"
                )
                self._warnings.append(Problem(node.place, path, message))
                break
        yield from parts

    def _scalar(self, node: Scalar, kind: Kind, path: str) -> Any:
        value = node.value
        if kind is Kind.INTEGER and isinstance(value, float):
            return self._integer(value, node, path)
        if kind is Kind.DURATION and isinstance(value, float) and value:
            return Decimal(str(value))  # which a duration refuses; a float that Python code gives it is seconds
        return plain(node)

    def _integer(self, value: float, node: Scalar, path: str) -> float:
        if not math.isfinite(value) or not _LEAST <= value <= _GREATEST:
            return value
        if value != int(value):
            message = (
                f"{value} is not a whole number; it is read as {int(value)}, without its fraction, as in the Collector"
            )
            self._warnings.append(Problem(node.place, path, message))
        return int(value)


def _is_text_list(shape: ListShape) -> bool:
    return shape.splits and shape.item == ValueShape(Kind.TEXT)


def _text(node: Scalar) -> str | None:
    return node.value if isinstance(node.value, str) else node.text


def _as_list(parts: list[str]) -> str:
    return shown([part.strip() for part in parts])
