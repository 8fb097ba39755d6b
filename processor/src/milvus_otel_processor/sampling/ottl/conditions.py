"""Several conditions about one thing, of which one has to hold."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from milvus_otel_processor.sampling.hints.wanted import any_of
from milvus_otel_processor.sampling.ottl.compiler import compile_condition
from milvus_otel_processor.sampling.ottl.errors import OttlError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from milvus_otel_processor.sampling.ottl.errors import ErrorMode

_log = logging.getLogger(__name__)


class Conditions:
    """Conditions about a `span` or a `spanevent`, compiled. Raises CompileError where one is none."""

    def __init__(self, texts: Sequence[str], context: str, error_mode: ErrorMode, time_ns: Callable[[], int]) -> None:
        parts = [compile_condition(text, context, time_ns) for text in texts]
        self._tests = [(text, part.test) for text, part in zip(texts, parts, strict=True)]
        self._error_mode = error_mode
        self._failed: set[str] = set()
        needles = [part.needle for part in parts if part.needle is not None]
        self.needle = frozenset[bytes]().union(*needles) if len(needles) == len(parts) else None
        """Where none of these is in the bytes of a span, none of the conditions holds for it; None where that is not known."""
        self.wanted = any_of(part.wanted for part in parts)
        """Where a trace has none of these, no condition holds for any span of it; None where that is not known."""
        self.root_only = all(part.root_only for part in parts)
        """Whether the conditions hold for spans without a parent alone."""

    def __bool__(self) -> bool:
        """Tell whether there are any."""
        return bool(self._tests)

    def first(self, at: Any) -> str | None:
        """Return the first condition that holds, None for none; one without an answer does not hold."""
        for text, test in self._tests:
            with suppress(OttlError):
                if test(at):
                    return text
        return None

    def hold(self, at: Any) -> bool:
        """Tell whether one of the conditions holds. Raises OttlError, naming the condition, where `error_mode` is propagate."""
        for text, test in self._tests:
            try:
                if test(at):
                    return True
            except OttlError as error:
                if self._error_mode == "propagate":
                    raise OttlError(f"{text}: {error}") from None
                self._note(text, error)
        return False

    def _note(self, text: str, error: OttlError) -> None:
        if self._error_mode == "ignore" and text not in self._failed:
            # The Collector warns each time; once for each condition is what a user can read.
            self._failed.add(text)
            _log.warning("condition %s has no answer for a span: %s (said once)", text, error)
