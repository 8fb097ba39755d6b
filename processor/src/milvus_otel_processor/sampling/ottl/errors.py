"""What can be wrong with a condition, at the start and later."""

from __future__ import annotations


class CompileError(ValueError):
    """A text is not a condition that can be evaluated; the message says what is wrong, where, and what there is."""


class OttlError(Exception):
    """A condition has no answer for this span or span event."""
