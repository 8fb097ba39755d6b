"""What a converter is: a function, and what it takes for its arguments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from milvus_otel_processor.sampling.ottl.coercion import Coercion
    from milvus_otel_processor.sampling.ottl.values import Value


class Parameter(NamedTuple):
    """One argument: its name, for calls that name it, and what becomes of the value before the function gets it."""

    name: str
    coerce: Coercion
    optional: bool = False
    literal: bool = False
    """Whether it has to be written as a literal, as in the Collector."""


@dataclass(frozen=True)
class Converter:
    """A function of coerced values."""

    function: Callable[..., Value]
    parameters: tuple[Parameter, ...] = ()
    gets: Literal["arguments", "span", "now"] = "arguments"
    """What the function is called with: its arguments; or the span, and it then can only be used in span conditions; or the time in
    nanoseconds since the epoch."""
    check: Callable[..., None] | None = None
    """Asked at the start about the arguments that are literals, the others being None; raises ValueError."""


def converter(function: Callable[..., Value], *parameters: tuple[str, Coercion]) -> Converter:
    """Return a converter whose parameters all have to be given."""
    return Converter(function, tuple(Parameter(*parameter) for parameter in parameters))
