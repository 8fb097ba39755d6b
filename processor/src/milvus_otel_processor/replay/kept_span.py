"""What is shown of one span."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class KeptSpan:
    """What is shown of one span; times in nanoseconds since the epoch, ids in hex, no parent is an empty string."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    service: str
    start: int
    end: int
    kind: str
    """client, server, internal, ..."""
    is_error: bool
    attributes: dict[str, Any]
