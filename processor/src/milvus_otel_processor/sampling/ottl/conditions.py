"""Several conditions about one thing, of which one has to hold."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Literal

from milvus_otel_processor.sampling.ottl.compiler import compile_condition
from milvus_otel_processor.sampling.ottl.errors import OttlError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_log = logging.getLogger(__name__)

ErrorMode = Literal["ignore", "propagate", "silent"]
"""What becomes of a condition that has no answer: it does not hold, and that is logged; its error is raised; it does not hold."""


class Conditions:
    """Conditions about a `span` or a `spanevent`, compiled. Raises CompileError where one is none."""

    def __init__(self, texts: Sequence[str], context: str, error_mode: ErrorMode, time_ns: Callable[[], int]) -> None:
        self._tests = [(text, compile_condition(text, context, time_ns)) for text in texts]
        self._error_mode = error_mode
        self._failed: set[str] = set()

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
