"""What can be wrong with a condition, at the start and later."""

from __future__ import annotations

from typing import Literal

ErrorMode = Literal["ignore", "propagate", "silent"]
"""What becomes of a condition that has no answer: it does not hold, and that is logged; its error is raised; it does not hold."""


class CompileError(ValueError):
    """A text is not a condition that can be evaluated; the message says what is wrong, where, and what there is."""


class OttlError(Exception):
    """A condition has no answer for this span or span event."""
