"""A processor of your own: a class in a package that `milvus-otel` can import, named in YAML as `my_package.module:Class`.

Everything here is for you to use, and stays as it is within a minor version. docs/own-processors.md has a complete example.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Generic, TypeAlias, TypeVar

from milvus_otel_processor.settings import Duration, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from milvus_otel_processor.spans.contract import Trace as StoredTrace
    from milvus_otel_processor.spans.schema import AnyValue

Scalar: TypeAlias = str | bool | int | float
Value: TypeAlias = "Scalar | bytes | list[Value] | dict[str, Value] | None"
"""What an attribute can hold."""

S = TypeVar("S", bound=Settings)

_KINDS = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
_STATUSES = ("UNSET", "OK", "ERROR")
_INT64 = 1 << 63


class Span:
    """One span of a trace, to be read and to be given attributes."""

    def __init__(self, trace: StoredTrace, index: int) -> None:
        self._trace = trace
        self._index = index
        self.added: dict[str, Scalar | tuple[Scalar, ...]] = {}
        """What `add` was called with."""

    @property
    def name(self) -> str:
        """The span's name."""
        return _text(self._trace.heads[self._index].name)

    @property
    def kind(self) -> str:
        """UNSPECIFIED, INTERNAL, SERVER, CLIENT, PRODUCER or CONSUMER."""
        return _of(_KINDS, self._trace.heads[self._index].kind)

    @property
    def span_id(self) -> str:
        """The span's id: 16 hexadecimal digits."""
        return self._trace.heads[self._index].span_id.hex()

    @property
    def parent_span_id(self) -> str:
        """The parent's id; empty for a root."""
        parent = self._trace.heads[self._index].parent_span_id
        return parent.hex() if any(parent) else ""

    @property
    def start_time_unix_nano(self) -> int:
        """When it began; nanoseconds since 1970."""
        return self._trace.heads[self._index].start_time_unix_nano

    @property
    def end_time_unix_nano(self) -> int:
        """When it ended; nanoseconds since 1970."""
        return self._trace.heads[self._index].end_time_unix_nano

    @property
    def status(self) -> str:
        """UNSET, OK or ERROR."""
        return _of(_STATUSES, self._trace.heads[self._index].status.code)

    @property
    def attributes(self) -> dict[str, Value]:
        """All attributes of the span; what `add` was called with is not yet among them."""
        return {_text(key): _value(value) for key, value in self._trace.attributes(self._index).items()}

    @property
    def resource(self) -> dict[str, Value]:
        """All attributes of the span's resource, `service.name` for one."""
        attributes = self._trace.groups[self._index].resource_attributes
        return {_text(key): _value(value) for key, value in attributes.items()}

    def attribute(self, key: str) -> Value:
        """Return one attribute, or None: cheaper than all of them where a span does not have it."""
        value = self._trace.attribute(self._index, key.encode())
        return None if value is None else _value(value)

    def add(self, key: str, value: Scalar | Sequence[Scalar]) -> None:
        """Give the span an attribute; one that it has already stays as it is.

        Raises TypeError where the value is none of str, bool, int, float, or a list of these; ValueError where the key is empty, or
        a number is beyond 64 bits.
        """
        if not isinstance(key, str) or not key:
            raise ValueError(f"the key of an attribute is {key!r}, expected a text that is not empty")
        several = isinstance(value, list | tuple)
        for item in value if several else (value,):  # type: ignore[union-attr] # they are several
            if not isinstance(item, str | bool | int | float):
                raise TypeError(
                    f"{key}: {item!r} is {type(item).__name__}, expected str, bool, int, float or a list of these"
                )
            if isinstance(item, int) and not -_INT64 <= item < _INT64:
                raise ValueError(f"{key}: {item} is beyond 64 bits")
        self.added[key] = tuple(value) if several else value  # type: ignore[arg-type, assignment] # likewise


class Trace:
    """All spans of one trace that have arrived, at its decision; or one that came late, alone."""

    def __init__(self, trace: StoredTrace) -> None:
        self.id = trace.id.hex()
        """The trace id: 32 hexadecimal digits."""
        self.spans = [Span(trace, index) for index in range(len(trace))]
        """Its spans, in the order of their arrival."""


class Processor(Generic[S]):
    """The base of a processor of your own.

    It is called in one thread, with one trace after the other, and all spans wait for its answer: no I/O, no sleeping. What it
    needs from elsewhere it fetches in a thread of its own, from `start` to `stop`.
    """

    Settings: ClassVar[type[Settings]] = Settings
    """The model of what stands in YAML under the processor's name: a subclass of `Settings`, checked like all others."""

    def __init__(self, settings: S) -> None:
        self.settings = settings

    def start(self) -> None:
        """Begin: called once, before the first trace. An exception ends the start of the program with its message."""

    def stop(self, timeout: float) -> None:
        """End, within about `timeout` seconds: called once, after the last trace."""

    @abstractmethod
    def process(self, trace: Trace) -> None:
        """Look at a trace, and `add` attributes to its spans.

        Where it raises, nothing of what it added counts, the fault is counted and logged, and the trace goes on.
        """


def _of(names: Sequence[str], number: int) -> str:
    return names[number] if 0 <= number < len(names) else names[0]


def _text(text: bytes) -> str:
    return text.decode("utf-8", "replace")


def _value(value: AnyValue) -> Value:
    read = _READ.get(value.WhichOneof("value") or "")
    return read(value) if read is not None else None


_READ: dict[str, Callable[[AnyValue], Value]] = {
    "string_value": lambda value: _text(value.string_value),
    "bool_value": lambda value: value.bool_value,
    "int_value": lambda value: value.int_value,
    "double_value": lambda value: value.double_value,
    "bytes_value": lambda value: value.bytes_value,
    "array_value": lambda value: [_value(item) for item in value.array_value.values],
    "kvlist_value": lambda value: {_text(pair.key): _value(pair.value) for pair in value.kvlist_value.values},
}

__all__ = ["Duration", "Processor", "Scalar", "Settings", "Span", "Trace", "Value"]
