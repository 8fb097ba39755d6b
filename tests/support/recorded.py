"""Traffic that was recorded from a real Milvus: see `tests/data/milvus-2.3.5/README.md`."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "data" / "milvus-2.3.5"
TRACES, SPANS = 1008, 3343
"""How many of them there are in `requests()`."""

_SIZE_BYTES = 4


@cache
def requests() -> tuple[bytes, ...]:
    """The serialized ExportTraceServiceRequests, in the order in which they came."""
    return tuple(_messages((FOLDER / "traces.binpb").read_bytes()))


def access_log_lines() -> list[str]:
    """The lines of Milvus' access log from the same time."""
    return (FOLDER / "access.log").read_text(encoding="utf-8").splitlines()


def _messages(data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + _SIZE_BYTES], "big")
        at += _SIZE_BYTES
        yield data[at : at + size]
        at += size
