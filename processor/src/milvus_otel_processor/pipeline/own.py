"""Processors of the user's own as stages: found by their name in YAML, and their additions made attributes."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from milvus_otel_processor.processor import Processor, Trace
from milvus_otel_processor.remembering import LONGEST
from milvus_otel_processor.settings import Settings
from milvus_otel_processor.spans.attributes import Encoded

if TYPE_CHECKING:
    from milvus_otel_processor.processor import Scalar
    from milvus_otel_processor.spans.contract import Trace as StoredTrace

    Added = tuple[tuple[str, Scalar | tuple[Scalar, ...]], ...]

_REMEMBERED = 4096


class OwnProcessorError(Exception):
    """A processor of the user's own cannot be had; the message says why, and what is expected."""


def is_own(component_id: str) -> bool:
    """Tell whether the id of a processor names a class: `my_package.module:Class`, or that and `/name`."""
    return ":" in component_id.partition("/")[0]


def find(component_id: str) -> type[Processor[Any]]:
    """Import the class that an id names. Raises OwnProcessorError where that is impossible, or where it is no processor."""
    module_name, _, class_name = component_id.partition("/")[0].partition(":")
    try:
        found = getattr(import_module(module_name), class_name)
    except Exception as error:
        raise OwnProcessorError(
            f"cannot be imported: {type(error).__name__}: {error}; expected my_package.module:Class, in a package that is "
            "installed beside the processor"
        ) from error
    if not (isinstance(found, type) and issubclass(found, Processor)):
        raise OwnProcessorError(
            "is no processor; expected a subclass of milvus_otel_processor.processor.Processor: see docs/own-processors.md"
        )
    if not (isinstance(found.Settings, type) and issubclass(found.Settings, Settings)):
        raise OwnProcessorError(
            "its Settings are no model; expected a subclass of milvus_otel_processor.processor.Settings: see "
            "docs/own-processors.md"
        )
    return found


class OwnStage:
    """A processor of the user's own, as a stage; see `contracts.Stage`.

    Raises OwnProcessorError where it cannot be made.
    """

    sees_all = True  # nobody knows which rules read what it adds

    def __init__(self, name: str, settings: Settings) -> None:
        self.name = name
        try:
            self._processor = find(name)(settings)
        except OwnProcessorError:
            raise
        except Exception as error:
            raise OwnProcessorError(f"processors.{name}: cannot be made: {type(error).__name__}: {error}") from error

    def wants(self, *, rules_read: bool) -> None:  # noqa: ARG002
        """Return None: it sees all traces."""
        return

    def unwanted(self, calls: int) -> None:
        """Do nothing: there are none."""

    def start(self) -> None:
        """Begin. Raises OwnProcessorError where the processor cannot."""
        try:
            self._processor.start()
        except Exception as error:
            raise OwnProcessorError(f"processors.{self.name}: cannot start: {type(error).__name__}: {error}") from error

    def stop(self, timeout: float) -> None:
        """End."""
        self._processor.stop(timeout)

    def on_request(self, request: bytes) -> None:
        """Do nothing: it sees traces alone."""

    def has_to_see(self, trace: StoredTrace) -> bool:  # noqa: ARG002
        """Return True."""
        return True

    def on_trace(self, trace: StoredTrace) -> None:
        """Let the processor look at the trace, then add what it wants to have added; nothing where it raises."""
        seen = Trace(trace)
        self._processor.process(seen)
        for index, span in enumerate(seen.spans):
            if span.added:
                trace.append_missing((index,), _encoded(tuple(span.added.items())))

    def on_late_span(self, trace: StoredTrace) -> None:
        """Do the same with a span that came late."""
        self.on_trace(trace)


def _encoded(added: Added) -> Encoded:
    short = sum(len(name) + _size(value) for name, value in added) <= LONGEST
    return _remembered(added) if short else Encoded(added)


def _size(value: Scalar | tuple[Scalar, ...]) -> int:
    if isinstance(value, tuple):
        return sum(map(_size, value))
    return len(value) if isinstance(value, str) else 1


@lru_cache(maxsize=_REMEMBERED)
def _remembered(added: Added) -> Encoded:
    return Encoded(added)
