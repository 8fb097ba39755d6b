"""What is asked of the API, checked: each value is named where it is wrong."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from milvus_otel_processor.config.problems import did_you_mean, one_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_SHOWN = 60
"""Characters of what somebody has sent that a message repeats."""


class ApiError(Exception):
    """A request that cannot be answered; the message says why and what was expected."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def check_names(names: Iterable[str], known: Sequence[str]) -> None:
    """Raise ApiError where a parameter of a query is not known, which would change nothing, or is there twice."""
    seen = set[str]()
    for name in names:
        if name not in known:
            expected = one_of(known) if known else "expected none"
            raise ApiError(
                400, f"{name[:_SHOWN]!r} is no parameter here, {expected}{did_you_mean(name[:_SHOWN], known)}"
            )
        if name in seen:
            raise ApiError(400, f"{name} is there twice, expected one value")
        seen.add(name)


class Asked(NamedTuple):
    """One request: the parts of its path that vary, its query, and its body."""

    path: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes = b""

    def text(self, name: str, default: str = "") -> str:
        """Return a value of the query."""
        return self.query.get(name, default)

    def one_of(self, name: str, known: tuple[str, ...]) -> str:
        """Return a value of the query that is one of these, or nothing."""
        value = self.query.get(name, "")
        if value and value not in known:
            raise ApiError(400, f"{name}: {value[:_SHOWN]!r}, expected one of {', '.join(known)}")
        return value

    def number(self, name: str, default: float, least: float = 0.0, most: float = math.inf) -> float:
        """Return a number of the query within these bounds."""
        value = self.query.get(name, "")
        if not value:
            return default
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not least <= number <= most:
            bounds = f"a number from {least:g} to {most:g}" if most < math.inf else f"a number from {least:g} on"
            raise ApiError(400, f"{name}: {value[:_SHOWN]!r}, expected {bounds}")
        return number

    def yaml(self) -> str:
        """Return the body as text."""
        try:
            return self.body.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ApiError(400, f"the body is not UTF-8: {error.reason} at byte {error.start}") from None
