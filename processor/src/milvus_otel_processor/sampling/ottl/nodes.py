"""The parts of a compiled condition that have a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from milvus_otel_processor.sampling.ottl.values import Value
    from milvus_otel_processor.spans.wanted import Wanted


@dataclass(frozen=True)
class Operand:
    """Something with a value: `get` reads it from a SpanContext or an EventContext. Raises OttlError where there is none."""

    get: Callable[[Any], Value]
    is_converter: bool = False
    key: bytes | None = None
    """The key of the attribute of a span or an event that this is, if it is one."""
    is_verbatim: bool = False
    """Whether this is a text that stands as it is in the bytes of its span."""
    is_span_time: bool = False
    """Whether this is the time from the start to the end of the span."""


class Literal(Operand):
    """A value that is there from the start."""

    def __init__(self, value: Value) -> None:
        super().__init__(lambda _: value)
        object.__setattr__(self, "value", value)

    value: Value


@dataclass(frozen=True)
class Truth:
    """A part of a condition that is true or false: `test` answers it. Raises OttlError where there is no answer."""

    test: Callable[[Any], bool]
    needle: frozenset[bytes] | None = None
    """Where none of these is in the bytes of the span, the answer is False, and no error."""
    wanted: Wanted | None = None
    """Where the trace has none of these, likewise, for each of its spans."""
    root_only: bool = False
    """Whether the answer is False, and no error, for every span that has a parent."""
    is_quiet: bool = False
    """Whether there is always an answer."""
