"""How much of what enrichment writes a policy may read."""

from __future__ import annotations

from enum import IntEnum

_ENRICHED = ("db.", "milvus.", "error.", "enduser.")
_TIMES = "milvus.time."


class Reads(IntEnum):
    """What an answer may depend on; each step has those before it in it.

    That enrichment may make a span an ERROR is left out here.
    """

    NOTHING = 0
    """Nothing that enrichment writes."""
    FACTS = 1
    """What is known of a request, such as its collection."""
    TIMES = 2
    """And where its time went."""


def reads_of(key: str) -> Reads:
    """Return what it takes to know the attribute with this key."""
    if not key.startswith(_ENRICHED):
        return Reads.NOTHING
    return Reads.TIMES if key.startswith(_TIMES) else Reads.FACTS
