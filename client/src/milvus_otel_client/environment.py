"""Values of environment variables: one that cannot be read is told of, and the default is taken."""

from __future__ import annotations

import logging
import math
import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_logger = logging.getLogger(__name__)
_TRUE = ("true", "1", "yes", "on")
_FALSE = ("false", "0", "no", "off")


def text(*variables: str) -> str:
    """Return the value of the first variable that has one, without blanks around it; an empty text if none has."""
    return next((value for variable in variables if (value := os.environ.get(variable, "").strip())), "")


def names(variable: str) -> list[str]:
    """Return the names in a list that is separated by commas, in small letters and each once."""
    found = (name.strip().lower() for name in text(variable).split(","))
    return list(dict.fromkeys(name for name in found if name))


def boolean(variable: str, *, default: bool) -> bool:
    """Return the value of a boolean variable."""
    value = text(variable).lower()
    if not value:
        return default
    if value in _TRUE:
        return True
    if value in _FALSE:
        return False
    _logger.warning("%s=%r: expected true or false; the default is taken: %s", variable, value, str(default).lower())
    return default


def tell_misspelt_booleans(variables: Iterable[str]) -> None:
    """Warn of those variables that are neither ``true`` nor ``false``: OpenTelemetry takes anything else for ``false``."""
    for variable in variables:
        value = text(variable)
        if value and value.lower() not in ("true", "false"):
            _logger.warning("%s=%r: expected true or false; the default is taken: false", variable, value)


def seconds(variable: str, *, default: float) -> float:
    """Return the value of a variable that is a number of seconds, 0 or more."""
    value = text(variable)
    if not value:
        return default
    if _is_number(value) and 0 <= float(value) <= threading.TIMEOUT_MAX:
        return float(value)
    _logger.warning("%s=%r: expected seconds, 0 or more; the default is taken: %g", variable, value, default)
    return default


@contextmanager
def without_misspelt_numbers(variables: Iterable[str]) -> Iterator[None]:
    """Hide those variables that should be numbers and are none: what reads them next would fail, or take them amiss."""
    hidden: dict[str, str] = {}
    for variable in variables:
        value = text(variable)
        if value and not _is_number(value):
            _logger.warning("%s=%r: expected a number; the default is taken", variable, value)
            hidden[variable] = os.environ.pop(variable)
    try:
        yield
    finally:
        os.environ.update(hidden)


def _is_number(value: str) -> bool:
    try:
        return math.isfinite(float(value))
    except ValueError:
        return False
