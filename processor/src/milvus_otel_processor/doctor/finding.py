"""One thing that was looked at, what was found, and what to do about it."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

State = Literal["good", "warn", "bad", "unknown"]


class Finding(NamedTuple):
    """What was found."""

    state: State
    words: str
    advice: str = ""
    """What to do; empty where nothing is."""

    def as_dict(self) -> dict[str, Any]:
        """Return it for the API."""
        return self._asdict()
